-- Settles the last attempt of an action: the outcome is reached, its delivery begins or is claimed at once.
-- KEYS 1 action, 2 data before, 3 data after (the same when it stays), 4 pending, 5 processor, 6 live,
--      7 done, 8 output, 9 receivers, 10 idempotency record
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 nonce of the data before, 6 of the data after,
--      7 outcome, 8 host or '' (no response URL), 9 token of the delivery or '', 10 its lease, 11 retention
-- Returns {1, now, claimed delivery}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local step, written = ARGV[2], KEYS[2] ~= KEYS[3]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches', 'data',
  'd_token')
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if state == 'again' then
  if written and r[8] ~= ARGV[6] then call('UNLINK', KEYS[3]) end
  local at, claimed = string.match(answer, '^(%d+) (%d)$')
  return {1, tonumber(at), r[9] == ARGV[9] and tonumber(claimed) or 0}
elseif state ~= 'current' or r[8] ~= ARGV[5] then
  if written and r[8] ~= ARGV[6] then call('UNLINK', KEYS[3]) end
  return {REFUSED[state] or REFUSED.stale}
elseif written and call('PERSIST', KEYS[3]) == 0 then
  return {PAYLOAD_MISSING}
end
local now, stamp = clock()
call('ZREM', KEYS[4], ARGV[1])
if written then call('UNLINK', KEYS[2]) end
local processor, since = holder(r[6])
count(KEYS[5], true, now - since)
call('ZREM', KEYS[6], ARGV[1])
call('ZADD', KEYS[7], stamp, ARGV[1])
local fields, claimed = {'delivery', 'none'}, false
if ARGV[8] ~= '' then
  fields, claimed = deliver(KEYS[8], KEYS[9], ARGV[1], ARGV[8], ARGV[9], ARGV[10], now)
end
append(fields, {'v', format('%d', r[5] + 1), 'status', ARGV[7], 'token', '', 'data', ARGV[6], 'ended', stamp,
  'a:' .. r[7], line(step, processor, since, stamp),
  's:' .. step, table.concat({ARGV[3], ARGV[4], stamp, claimed and 1 or 0}, ' ')})
call('HSET', KEYS[1], unpack(fields))
if ARGV[8] == '' then
  ended(KEYS[1], KEYS[3], KEYS[10], ARGV[11])
end
return {1, now, claimed and 1 or 0}
