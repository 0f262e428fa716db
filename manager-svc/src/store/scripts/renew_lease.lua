-- A heartbeat: the attempt is not silent, so its lease starts anew.
-- KEYS 1 action, 2 pending
-- ARGV 1 id, 2 step, 3 token hash
-- Returns {1, end of the lease}, or {-1} unknown, {-2} stale, {-3} duplicate (settled already)
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. ARGV[2], 'job')
local state = fence(ARGV[2], ARGV[3], '', r)
if state ~= 'current' then
  return {REFUSED[state]}
end
local lease = clock() + string.match(r[5], '^%d+')
-- A removal first: a full Redis must still let attempts go on.
call('ZREM', KEYS[2], ARGV[1])
call('ZADD', KEYS[2], lease, ARGV[1])
return {1, lease}
