-- Claims the health check of a processor by moving its due time: one beat counts once. Until it is recorded (or its
-- checker must have died) nobody else begins one, however long the processor takes.
-- KEYS 1 processor, 2 processors
-- ARGV 1 id, 2 nonce, 3 due time that was seen, 4 interval, 5 how long a check may take,
--      6 how long after the last one a check may begin that is not due
-- Returns 1 claimed, 0 somebody else did, or it is not due and one is under way or was begun a moment ago
local r = call('HMGET', KEYS[1], 'checked_by', 'recorded', 'epoch')
local by, at = string.match(r[1] or '', '^(%S+) (%d+)$')
if by == ARGV[2] then
  return 1
elseif not r[3] or call('ZSCORE', KEYS[2], ARGV[1]) ~= ARGV[3] then
  return 0
end
local now, stamp = clock()
local under_way = by ~= (r[2] or nil)
if now < tonumber(ARGV[3]) and (under_way or now < (at or 0) + ARGV[6]) then
  return 0
end
-- A removal first: a full Redis must not keep the scheduler from its other work.
call('ZREM', KEYS[2], ARGV[1])
call('ZADD', KEYS[2], format('%d', now + math.max(ARGV[4], ARGV[5])), ARGV[1])
call('HSET', KEYS[1], 'checked_by', ARGV[2] .. ' ' .. stamp)
return 1
