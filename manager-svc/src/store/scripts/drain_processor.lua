-- Stops new work for a processor; removes it when nothing of it is pending.
-- KEYS 1 processor, 2 pending, 3 processors, 4 ids of its name, 5 known
-- ARGV 1 id, 2 the epoch it had (an older one than the record's does nothing) or '' for any
-- Returns {1 draining or 2 gone, pending}, {3, pending} an older epoch, {-1} never known
local epoch = call('HGET', KEYS[1], 'epoch')
if not epoch then
  return call('ZSCORE', KEYS[5], ARGV[1]) and {2, 0} or {-1}
end
local pending = call('ZCARD', KEYS[2])
if ARGV[2] ~= '' and tonumber(ARGV[2]) < tonumber(epoch) then
  return {3, pending}
elseif pending > 0 then
  call('HSET', KEYS[1], 'status', 'draining')
  return {1, pending}
end
call('UNLINK', KEYS[1])
call('ZREM', KEYS[3], ARGV[1])
call('SREM', KEYS[4], ARGV[1])
return {2, 0}
