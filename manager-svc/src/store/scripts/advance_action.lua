-- Settles an attempt that succeeded, or is skipped, and makes the next step ready, or claims it at once.
-- KEYS 1 action, 2 data before, 3 data after (the same when it stays), 4 pending, 5 statistics of the processor, 6 seq,
--      7 targets, 8 input of the next target; then four per candidate
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 nonce of the data before, 6 of the data after,
--      7 'token', or 'lease' when it is over, 8 failure of a step that is skipped or '', 9 next target,
--      10 its timeout, 11 candidates, 12 token hash of the claim or ''
-- Returns {1, now, claim}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local step, failure = ARGV[2], failure_of(ARGV[8])
local r, answer, refusal = settling(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], step, ARGV[3], ARGV[4],
  ARGV[5], ARGV[6], ARGV[7])
if answer then
  local at, candidate = string.match(answer, '^(%d+) (%d+)$')
  return {1, tonumber(at), chosen(9, tonumber(candidate), r[2] == ARGV[12])}
elseif refusal then
  return {refusal}
end
local now, stamp = clock()
call('ZREM', KEYS[4], ARGV[1])
local processor, since = holder(r[6], stamp)
count(KEYS[5], not failure, now - since)
local claim = ARGV[12] ~= '' and choose(9, tonumber(ARGV[11]), ARGV[9], now)
local fields = {'v', format('%d', r[5] + 1), 'step', format('%d', step + 1), 'data', ARGV[6],
  'job', ARGV[10] .. ' ' .. ARGV[9],
  'a:' .. r[7], line(step, processor, since, stamp, failure),
  settlement(ARGV[7], step), table.concat({ARGV[3], ARGV[4], stamp, claim and claim[1] or 0}, ' ')}
local seq
if claim then
  seq = call('INCR', KEYS[6])
  call('ZADD', KEYS[9 + 4 * (claim[1] - 1) + 1], format('%d', now + ARGV[10]), ARGV[1])
  append(fields, claim_fields(claim, ARGV[12], '1', format('%d', r[7] + 1), stamp))
else
  seq = queue_up(KEYS[8], KEYS[6], KEYS[7], ARGV[9], ARGV[1])
  append(fields, {'token', '', 'tries', '0'})
end
append(fields, {'queued', format('%d %s', seq, stamp)})
call('HSET', KEYS[1], unpack(fields))
-- Not before: the record names it until now.
if KEYS[2] ~= KEYS[3] then call('UNLINK', KEYS[2]) end
return {1, now, claim or {0}}
