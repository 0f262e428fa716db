-- Ends an action before its last step: failed by its last attempt (a token), by a lease that is over (a
-- token), or by its deadline; or cancelled. The latter two have no token but the version that was seen.
-- KEYS 1 action, 2 data, 3 pending, 4 statistics of the processor, 5 live, 6 failed or done, 7 output, 8 receivers,
--      9 idempotency record, 10 input of its target, 11 targets, 12 delayed
-- ARGV 1 id, 2 step, 3 token hash or '', 4 nonce of this request, 5 'token', 'lease', 'deadline' or 'cancel',
--      6 version, 7 target, 8 host or '', 9 token of the delivery or '', 10 its lease, 11 retention, 12 error,
--      13 outcome
-- Returns {1, now, claimed delivery}, or {-1} unknown, {-2} stale, {-3} duplicate
local step, why = ARGV[2], ARGV[5]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches',
  'lapsed', 'd_token')
local mark = (ARGV[3] == '' and ARGV[6] or ARGV[3]) .. ' ' .. ARGV[4]
local state, answer = fence(step, ARGV[3], ARGV[4], r)
answer = answer or first_answer(r[8], mark)
if answer then
  local at, claimed = string.match(answer, '^(%d+) (%d)$')
  return {1, tonumber(at), r[9] == ARGV[9] and tonumber(claimed) or 0}
end
local now, stamp = clock()
local live = tonumber(call('ZSCORE', KEYS[5], ARGV[1]) or math.huge)
if ARGV[3] == '' then
  local open = r[3] == 'queued' or r[3] == 'running'
  local over = open and r[5] == ARGV[6] and live <= (why == 'cancel' and live or now) and live < math.huge
  state = r[1] and (over and 'current' or 'stale') or 'unknown'
elseif why == 'lease' and tonumber(call('ZSCORE', KEYS[3], ARGV[1]) or 0) > now then
  state = 'stale'
end
if state ~= 'current' then
  return {REFUSED[state]}
end
call('ZREM', KEYS[5], ARGV[1])
if call('ZREM', KEYS[3], ARGV[1]) == 0 then
  call('ZREM', KEYS[12], ARGV[1])
  if call('ZREM', KEYS[10], ARGV[1]) == 1 and call('EXISTS', KEYS[10]) == 0 then
    call('SREM', KEYS[11], ARGV[7])
  end
end
call('ZADD', KEYS[6], stamp, ARGV[1])
local claimed = '0'
if ARGV[8] ~= '' then
  local token, due
  token, claimed, due = deliver(KEYS[7], KEYS[8], ARGV[1], ARGV[8], ARGV[9], ARGV[10], now, stamp)
  call('HSET', KEYS[1], 'd_token', token, 'd_tries', claimed, 'd_due', due)
end
if (r[2] or '') ~= '' then
  local processor, since = holder(r[6], stamp)
  if why ~= 'cancel' then count(KEYS[4], false, now - since) end
  call('HSET', KEYS[1], 'a:' .. r[7], line(step, processor, since, stamp, ARGV[12]))
end
call('HSET', KEYS[1], 'v', r[5] + 1, 'status', ARGV[13], 'token', '', 'ended', stamp, 'error', ARGV[12],
  'delivery', ARGV[8] == '' and 'none' or 'pending', settlement(why, step), mark .. ' ' .. stamp .. ' ' .. claimed)
flush()
write_counts()
if ARGV[8] == '' then
  ended(KEYS[1], KEYS[2], KEYS[9], ARGV[11])
end
return {1, now, tonumber(claimed)}
