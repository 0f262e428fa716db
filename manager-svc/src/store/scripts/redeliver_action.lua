-- Sends the outcome of a run once more, under the same webhook id.
-- KEYS 1 action, 2 data, 3 output, 4 receivers, 5 idempotency record
-- ARGV 1 id, 2 version that was seen, 3 nonce of this request, 4 host
-- Returns {1, now}, or {-1} unknown, {-2} changed since, or nothing that was delivered or given up,
--         {-4} payload missing
local r = call('HMGET', KEYS[1], 'delivery', 'v', 'redelivered')
local answer = first_answer(r[3], ARGV[2] .. ' ' .. ARGV[3])
if not r[2] then
  return {REFUSED.unknown}
elseif answer then
  return {1, tonumber(answer)}
elseif r[2] ~= ARGV[2] or r[1] ~= 'delivered' and r[1] ~= 'exhausted' then
  return {REFUSED.stale}
elseif call('EXISTS', KEYS[2]) == 0 then
  return {PAYLOAD_MISSING}
end
local now, stamp = clock()
live_again(KEYS[1], KEYS[2], KEYS[5], ARGV[1], true)
call('ZADD', KEYS[3], stamp, ARGV[1])
call('ZADD', KEYS[4], 'LT', stamp, ARGV[4])
call('HDEL', KEYS[1], 'd_error')
call('HSET', KEYS[1], 'v', r[2] + 1, 'delivery', 'pending', 'd_tries', 0, 'd_due', stamp,
  'redelivered', ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. stamp)
return {1, now}
