-- Settles an attempt that failed, or whose lease ended, and delays the step for another one.
-- KEYS 1 action, 2 pending, 3 processor, 4 delayed
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 '1' when the lease ended, 6 backoff, 7 error
-- Returns {1, now}, or {-1} unknown, {-2} stale, {-3} duplicate
local step = ARGV[2]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches',
  'lapsed', 'queued')
local lapse = ARGV[3] .. ' ' .. ARGV[4]
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if state == 'again' or (r[8] and string.sub(r[8], 1, #lapse + 1) == lapse .. ' ') then
  return {1, tonumber(answer or string.match(r[8], '%d+$'))}
elseif state ~= 'current' then
  return {REFUSED[state]}
end
local now, stamp = clock()
if ARGV[5] == '1' and tonumber(call('ZSCORE', KEYS[2], ARGV[1]) or 0) > now then
  return {REFUSED.stale}
end
call('ZREM', KEYS[2], ARGV[1])
local ready = format('%d', now + ARGV[6])
call('ZADD', KEYS[4], ready, ARGV[1])
local processor, since = holder(r[6])
count(KEYS[3], false, now - since)
-- A lapsed token settles nothing: its holder learns by 409 that it came too late.
local settled = ARGV[5] == '1' and 'lapsed' or 's:' .. step
call('HSET', KEYS[1], 'v', r[5] + 1, 'token', '', 'error', ARGV[7],
  'queued', string.match(r[9], '^%d+') .. ' ' .. ready,
  settled, lapse .. ' ' .. stamp, 'a:' .. r[7], line(step, processor, since, stamp, ARGV[7]))
return {1, now}
