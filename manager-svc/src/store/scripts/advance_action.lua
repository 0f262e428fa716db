-- Settles an attempt that succeeded and makes the next step ready, or claims it at once.
-- KEYS 1 action, 2 data before, 3 data after (the same when it stays), 4 pending, 5 processor, 6 seq,
--      7 targets, 8 input of the next target; then four per candidate
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 nonce of the data before, 6 of the data after,
--      7 next target, 8 its timeout, 9 candidates, 10 token hash of the claim or ''
-- Returns {1, now, claim}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local step, written = ARGV[2], KEYS[2] ~= KEYS[3]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches', 'data')
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if state == 'again' then
  if written and r[8] ~= ARGV[6] then call('UNLINK', KEYS[3]) end
  local at, candidate = string.match(answer, '^(%d+) (%d+)$')
  return {1, tonumber(at), chosen(9, tonumber(candidate), r[2] == ARGV[10])}
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
local claim = ARGV[10] ~= '' and choose(9, tonumber(ARGV[9]), ARGV[7], now)
local fields = {'v', format('%d', r[5] + 1), 'step', format('%d', step + 1), 'data', ARGV[6],
  'job', ARGV[8] .. ' ' .. ARGV[7],
  'a:' .. r[7], line(step, processor, since, stamp),
  's:' .. step, table.concat({ARGV[3], ARGV[4], stamp, claim and claim[1] or 0}, ' ')}
local seq
if claim then
  seq = call('INCR', KEYS[6])
  call('ZADD', KEYS[9 + 4 * (claim[1] - 1) + 1], format('%d', now + ARGV[8]), ARGV[1])
  append(fields, claim_fields(claim, ARGV[10], '1', format('%d', r[7] + 1), stamp))
else
  seq = queue_up(KEYS[8], KEYS[6], KEYS[7], ARGV[7], ARGV[1])
  append(fields, {'token', '', 'tries', '0'})
end
append(fields, {'queued', format('%d %s', seq, stamp)})
call('HSET', KEYS[1], unpack(fields))
return {1, now, claim or {0}}
