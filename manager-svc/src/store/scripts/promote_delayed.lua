-- Puts what is due into its queue: in its original place when it has one, else behind all that is ready.
-- KEYS 1 delayed, 2 seq, 3 targets; then per action: action, input of its target
-- ARGV per action: id, target
-- Returns 1
local now, stamp = clock()
for i = 1, #ARGV / 2 do
  local action, id, target = KEYS[2 + 2 * i], ARGV[2 * i - 1], ARGV[2 * i]
  local r = call('HMGET', action, 'job', 'queued', 'v', 'token', 'status')
  -- One that is elsewhere by its record has strayed in here: it is for the reconciler.
  local waits = (r[4] or '') == '' and (r[5] == 'queued' or r[5] == 'running')
  local due = tonumber(call('ZSCORE', KEYS[1], id) or now + 1) <= now
  local seq = string.match(r[2] or '', '^%d+')
  if due and waits and seq and is_number(r[3]) and string.match(r[1] or '', ' (%S+)$') == target then
    call('ZREM', KEYS[1], id)
    seq = seq == '0' and format('%d', call('INCR', KEYS[2])) or seq
    queue_up(KEYS[3 + 2 * i], seq, KEYS[3], target, id)
    call('HSET', action, 'queued', seq .. ' ' .. stamp, 'v', r[3] + 1)
  end
end
flush()
return 1
