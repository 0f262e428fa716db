-- Settles the last attempt of an action: the outcome is reached, its delivery begins or is claimed at once.
-- KEYS 1 action, 2 data before, 3 data after (the same when it stays), 4 pending, 5 its processor's statistics, 6 live,
--      7 done, 8 output, 9 receivers, 10 idempotency record
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 nonce of the data before, 6 of the data after,
--      7 'token', or 'lease' when it is over, 8 failure of a step that is skipped or '', 9 outcome,
--      10 host or '' (no response URL), 11 token of the delivery or '', 12 its lease, 13 retention
-- Returns {1, now, claimed delivery}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local step, failure = ARGV[2], failure_of(ARGV[8])
local r, answer, refusal = settling(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], step, ARGV[3], ARGV[4],
  ARGV[5], ARGV[6], ARGV[7])
if answer then
  local at, claimed = string.match(answer, '^(%d+) (%d)$')
  return {1, tonumber(at), r[9] == ARGV[11] and tonumber(claimed) or 0}
elseif refusal then
  return {refusal}
end
local now, stamp = clock()
call('ZREM', KEYS[4], ARGV[1])
local processor, since = holder(r[6], stamp)
count(KEYS[5], not failure, now - since)
call('ZREM', KEYS[6], ARGV[1])
call('ZADD', KEYS[7], stamp, ARGV[1])
local fields, claimed = {'delivery', 'none'}, false
if ARGV[10] ~= '' then
  fields, claimed = deliver(KEYS[8], KEYS[9], ARGV[1], ARGV[10], ARGV[11], ARGV[12], now)
end
append(fields, {'v', format('%d', r[5] + 1), 'status', ARGV[9], 'token', '', 'data', ARGV[6], 'ended', stamp,
  'a:' .. r[7], line(step, processor, since, stamp, failure),
  settlement(ARGV[7], step), table.concat({ARGV[3], ARGV[4], stamp, claimed and 1 or 0}, ' ')})
call('HSET', KEYS[1], unpack(fields))
-- Not before: the record names it until now.
if KEYS[2] ~= KEYS[3] then call('UNLINK', KEYS[2]) end
if ARGV[10] == '' then
  ended(KEYS[1], KEYS[3], KEYS[10], ARGV[13])
end
return {1, now, claimed and 1 or 0}
