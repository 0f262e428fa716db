-- Stops new work for a processor; removes it when nothing of it is pending.
-- KEYS 1 processor, 2 pending, 3 processors, 4 ids of its name, 5 registrations that left, 6 its statistics
-- ARGV 1 id, 2 the epoch it had (an older one than the record's does nothing) or '' for any, 3 name that was seen
-- Returns {1 draining or 2 gone, pending}, {3, pending} an older epoch, {-1} never known, {-2} its name changed
local r = call('HMGET', KEYS[1], 'epoch', 'answer', 'registered_by', 'name')
if call('EXISTS', KEYS[1]) == 0 then
  return call('HGET', KEYS[5], ARGV[1]) and {2, 0} or {-1}
end
local pending = call('ZCARD', KEYS[2])
if ARGV[2] ~= '' and tonumber(ARGV[2]) < tonumber(r[1] or 0) then
  return {3, pending}
elseif (r[4] or '') ~= ARGV[3] then
  return {-2}
elseif pending > 0 then
  -- A removal first: a full Redis must let processors go.
  call('HDEL', KEYS[1], 'status')
  call('HSET', KEYS[1], 'status', 'draining')
  return {1, pending}
end
leave(KEYS[1], KEYS[6], KEYS[3], KEYS[4], KEYS[5], ARGV[1], r)
return {2, 0}
