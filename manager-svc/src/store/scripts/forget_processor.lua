-- Removes a processor that has been silent for long, unless something of it is pending. A pause keeps it: an operator
-- who resumes it must find it.
-- KEYS 1 processor, 2 pending, 3 processors, 4 ids of its name, 5 registrations that left, 6 its statistics
-- ARGV 1 id, 2 epoch that was seen, 3 name that was seen, 4 how long it must have been silent
-- Returns 1 gone, 0 it is not to be forgotten
local r = call('HMGET', KEYS[1], 'epoch', 'answer', 'registered_by', 'status', 'name', 'last_seen')
if not r[1] then
  return 1
elseif r[1] ~= ARGV[2] or r[5] ~= ARGV[3] or r[4] ~= 'unhealthy' or call('ZCARD', KEYS[2]) > 0
  or clock() < (r[6] or 0) + ARGV[4] then
  return 0
end
leave(KEYS[1], KEYS[6], KEYS[3], KEYS[4], KEYS[5], ARGV[1], r)
return 1
