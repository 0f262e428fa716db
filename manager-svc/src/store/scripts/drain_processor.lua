-- Stops new work for a processor; removes it when nothing of it is pending. What registered it is kept: a copy of
-- that registration that arrives late must not bring it back.
-- KEYS 1 processor, 2 pending, 3 processors, 4 ids of its name, 5 registrations that left
-- ARGV 1 id, 2 the epoch it had (an older one than the record's does nothing) or '' for any, 3 name that was seen
-- Returns {1 draining or 2 gone, pending}, {3, pending} an older epoch, {-1} never known, {-2} its name changed
local r = call('HMGET', KEYS[1], 'epoch', 'name', 'status', 'answer', 'registered_by')
if call('EXISTS', KEYS[1]) == 0 then
  return call('HGET', KEYS[5], ARGV[1]) and {2, 0} or {-1}
end
local pending = call('ZCARD', KEYS[2])
if ARGV[2] ~= '' and tonumber(ARGV[2]) < tonumber(r[1] or 0) then
  return {3, pending}
elseif (r[2] or '') ~= ARGV[3] then
  return {-2}
elseif pending > 0 then
  -- A removal first: a full Redis must let processors go.
  call('HDEL', KEYS[1], 'status')
  call('HSET', KEYS[1], 'status', 'draining')
  return {1, pending}
end
call('UNLINK', KEYS[1])
call('ZREM', KEYS[3], ARGV[1])
call('SREM', KEYS[4], ARGV[1])
call('HSET', KEYS[5], ARGV[1], table.concat({r[1] or 0, r[4] or 1, r[5] or '-'}, ' '))
return {2, 0}
