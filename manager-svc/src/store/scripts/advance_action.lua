-- Settles an attempt that succeeded and makes the next step ready, or claims it at once.
-- KEYS 1 action, 2 data before, 3 data after (the same when it stays), 4 pending, 5 processor, 6 seq,
--      7 targets, 8 input of the next target; then four per candidate
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 nonce of the data before, 6 of the data after,
--      7 next target, 8 its timeout, 9 its max attempts, 10 candidates, 11 token hash of the claim or ''
-- Returns {1, now, claim}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local step = ARGV[2]
local r = redis.call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'claimed', 'processor',
  'dispatches', 'data')
local state, answer = fence(step, ARGV[3], ARGV[4], r)
if state == 'again' then
  if r[9] ~= ARGV[6] and KEYS[2] ~= KEYS[3] then redis.call('UNLINK', KEYS[3]) end
  local at, candidate = string.match(answer, '^(%d+) (%d+)$')
  return {1, tonumber(at), chosen(9, tonumber(candidate), r[2] == ARGV[11])}
elseif state ~= 'current' or r[9] ~= ARGV[5] then
  if KEYS[2] ~= KEYS[3] and r[9] ~= ARGV[6] then redis.call('UNLINK', KEYS[3]) end
  return {REFUSED[state] or REFUSED.stale}
elseif redis.call('EXISTS', KEYS[3]) == 0 then
  return {PAYLOAD_MISSING}
end
local now = clock()
redis.call('ZREM', KEYS[4], ARGV[1])
if KEYS[2] ~= KEYS[3] then
  redis.call('PERSIST', KEYS[3])
  redis.call('UNLINK', KEYS[2])
end
local elapsed = now - r[6]
count(KEYS[5], 'processed', elapsed)
local claim = ARGV[11] ~= '' and choose(9, tonumber(ARGV[10]), ARGV[7], now)
local fields = {'v', r[5] + 1, 'step', step + 1, 'target', ARGV[7], 'timeout', ARGV[8], 'max', ARGV[9],
  'data', ARGV[6], 'ready', now, 'a:' .. r[8], line(step, r[7], r[6], now, 'succeeded', ''),
  's:' .. step, ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. now .. ' ' .. (claim and claim[1] or 0)}
if claim then
  redis.call('ZADD', KEYS[9 + 4 * (claim[1] - 1) + 1], now + ARGV[8], ARGV[1])
  append(fields, {'seq', redis.call('INCR', KEYS[6])})
  append(fields, claim_fields(claim, ARGV[11], 1, r[8] + 1, ARGV[8], now))
else
  append(fields, {'token', '', 'tries', 0, 'seq', queue_up(KEYS[8], KEYS[6], KEYS[7], ARGV[7], ARGV[1])})
end
redis.call('HSET', KEYS[1], unpack(fields))
return {1, now, claim or {0}}
