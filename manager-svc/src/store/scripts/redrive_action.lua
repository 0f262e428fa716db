-- Starts a failed action anew, from the step that failed and with the data it had: a new run, which drops
-- what was still to be delivered of the old one.
-- KEYS 1 action, 2 data, 3 live, 4 failed, 5 input of its target, 6 targets, 7 seq, 8 output, 9 receivers,
--      10 idempotency record
-- ARGV 1 id, 2 run that was seen, 3 nonce of this request, 4 expiry, 5 target, 6 host or ''
-- Returns {1, run}, or {-1} unknown, {-2} not failed, or another run by now, {-4} payload missing
local r = call('HMGET', KEYS[1], 'status', 'run', 'v', 'redriven', 'delivery')
local mark = ARGV[2] .. ' ' .. ARGV[3]
if not r[1] then
  return {REFUSED.unknown}
elseif r[4] == mark then
  return {1, ARGV[2] + 1}
elseif r[1] ~= 'failed' or (r[2] or '1') ~= ARGV[2] then
  return {REFUSED.stale}
elseif call('EXISTS', KEYS[2]) == 0 then
  return {PAYLOAD_MISSING}
end
local now, stamp = clock()
call('ZREM', KEYS[4], ARGV[1])
live_again(KEYS[1], KEYS[2], KEYS[10], ARGV[1], r[5] ~= 'pending')
if ARGV[6] ~= '' then
  call('ZREM', KEYS[8], ARGV[1])
  if call('EXISTS', KEYS[8]) == 0 then
    call('ZREM', KEYS[9], ARGV[6])
  end
end
local deadline = format('%d', now + ARGV[4])
call('ZADD', KEYS[3], deadline, ARGV[1])
local seq = format('%d', draw(KEYS[7], 1) + 1)
queue_up(KEYS[5], seq, KEYS[6], ARGV[5], ARGV[1])
flush()
call('HDEL', KEYS[1], 'ended', 'error', 'd_due', 'd_error', 'returns')
call('HSET', KEYS[1], 'v', r[3] + 1, 'status', 'queued', 'run', ARGV[2] + 1, 'token', '', 'tries', 0,
  'queued', seq .. ' ' .. stamp, 'deadline', deadline, 'delivery', 'none', 'd_token', '',
  'd_tries', 0, 'handed', 0, 'redriven', mark)
return {1, ARGV[2] + 1}
