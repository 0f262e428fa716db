-- Ends an action as failed: by its last attempt (a token), by a lease that ended (a token, and the lease
-- is over), or by its deadline (no token: the version that was seen, and the deadline is over).
-- KEYS 1 action, 2 data, 3 pending, 4 processor, 5 live, 6 failed, 7 output, 8 receivers,
--      9 idempotency record, 10 input of its target, 11 targets, 12 delayed
-- ARGV 1 id, 2 step, 3 token hash or '', 4 nonce of this request, 5 'token', 'lease' or 'deadline',
--      6 version, 7 target, 8 host or '', 9 token of the delivery or '', 10 its lease, 11 retention, 12 error
-- Returns {1, now, claimed delivery}, or {-1} unknown, {-2} stale, {-3} duplicate
local step, why = ARGV[2], ARGV[5]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches',
  'lapsed', 'd_token')
local mark = (why == 'deadline' and ARGV[6] or ARGV[3]) .. ' ' .. ARGV[4]
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if not answer and r[8] and string.sub(r[8], 1, #mark + 1) == mark .. ' ' then
  answer = string.sub(r[8], #mark + 2)
end
if answer then
  local at, claimed = string.match(answer, '^(%d+) (%d)$')
  return {1, tonumber(at), r[9] == ARGV[9] and tonumber(claimed) or 0}
end
local now, stamp = clock()
if why == 'deadline' then
  local over = r[5] == ARGV[6] and tonumber(call('ZSCORE', KEYS[5], ARGV[1]) or now + 1) <= now
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
local fields, claimed = {'delivery', 'none'}, false
if ARGV[8] ~= '' then
  fields, claimed = deliver(KEYS[7], KEYS[8], ARGV[1], ARGV[8], ARGV[9], ARGV[10], now)
end
append(fields, {'v', r[5] + 1, 'status', 'failed', 'token', '', 'ended', stamp, 'error', ARGV[12],
  why == 'token' and 's:' .. step or 'lapsed', mark .. ' ' .. stamp .. ' ' .. (claimed and 1 or 0)})
if r[2] ~= '' then
  local processor, since = holder(r[6])
  count(KEYS[4], false, now - since)
  append(fields, {'a:' .. r[7], line(step, processor, since, stamp, ARGV[12])})
end
call('HSET', KEYS[1], unpack(fields))
if ARGV[8] == '' then
  ended(KEYS[1], KEYS[2], KEYS[9], ARGV[11])
end
return {1, now, claimed and 1 or 0}
