-- Settles an attempt that failed, or whose lease ended, and delays the step for another one.
-- KEYS 1 action, 2 pending, 3 processor, 4 delayed
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 '1' when the lease ended, 6 backoff, 7 error
-- Returns {1, now}, or {-1} unknown, {-2} stale, {-3} duplicate
local step = ARGV[2]
local r = redis.call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'claimed', 'processor',
  'dispatches', 'lapsed')
local lapse = ARGV[3] .. ' ' .. ARGV[4]
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if state == 'again' or (r[9] and string.sub(r[9], 1, #lapse + 1) == lapse .. ' ') then
  return {1, tonumber(answer or string.match(r[9], '%d+$'))}
elseif state ~= 'current' then
  return {REFUSED[state]}
end
local now = clock()
if ARGV[5] == '1' and tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) > now then
  return {REFUSED.stale}
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[4], now + ARGV[6], ARGV[1])
count(KEYS[3], 'failed', now - r[6])
-- A lapsed token settles nothing: its holder learns by 409 that it came too late.
local settled = ARGV[5] == '1' and 'lapsed' or 's:' .. step
redis.call('HSET', KEYS[1], 'v', r[5] + 1, 'token', '', 'ready', now + ARGV[6], 'error', ARGV[7],
  settled, lapse .. ' ' .. now, 'a:' .. r[8], line(step, r[7], r[6], now, 'failed', ARGV[7]))
return {1, now}
