-- Claims the health check of a processor by moving its due time: one beat counts once.
-- KEYS 1 processor, 2 processors
-- ARGV 1 id, 2 nonce, 3 due time that was seen, 4 interval
-- Returns 1 claimed, 0 somebody else did
if call('HGET', KEYS[1], 'checked_by') == ARGV[2] then
  return 1
elseif call('ZSCORE', KEYS[2], ARGV[1]) ~= ARGV[3] or call('EXISTS', KEYS[1]) == 0 then
  return 0
end
-- A removal first: a full Redis must not keep the scheduler from its other work.
call('ZREM', KEYS[2], ARGV[1])
call('ZADD', KEYS[2], clock() + ARGV[4], ARGV[1])
call('HSET', KEYS[1], 'checked_by', ARGV[2])
return 1
