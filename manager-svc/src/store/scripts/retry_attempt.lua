-- Settles an attempt that failed, or whose lease ended, and delays the step for another one.
-- KEYS 1 action, 2 pending, 3 statistics of the processor, 4 delayed
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 'token', or 'lease' when it is over, 6 backoff,
--      7 error
-- Returns {1, now}, or {-1} unknown, {-2} stale, {-3} duplicate
local step = ARGV[2]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches',
  'lapsed', 'queued')
local mark = ARGV[3] .. ' ' .. ARGV[4]
local state, answer = fence(step, ARGV[3], ARGV[4], r)
answer = answer or first_answer(r[8], mark)
if answer then
  return {1, tonumber(string.match(answer, '^%d+'))}
elseif state ~= 'current' then
  return {REFUSED[state]}
end
local now, stamp = clock()
if ARGV[5] == 'lease' and tonumber(call('ZSCORE', KEYS[2], ARGV[1]) or 0) > now then
  return {REFUSED.stale}
end
call('ZREM', KEYS[2], ARGV[1])
local ready = format('%d', now + ARGV[6])
call('ZADD', KEYS[4], ready, ARGV[1])
local processor, since = holder(r[6], stamp)
count(KEYS[3], false, now - since)
call('HSET', KEYS[1], 'v', r[5] + 1, 'token', '', 'error', ARGV[7],
  'queued', string.match(r[9] or '0', '^%d+') .. ' ' .. ready,
  settlement(ARGV[5], step), mark .. ' ' .. stamp, 'a:' .. r[7], line(step, processor, since, stamp, ARGV[7]))
write_counts()
return {1, now}
