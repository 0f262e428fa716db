-- A heartbeat: the attempt is not silent, so its lease starts anew.
-- KEYS 1 action, 2 pending
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request
-- Returns {1, end of the lease}, or {-1} unknown, {-2} stale, {-3} duplicate (settled already)
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. ARGV[2], 'job', 'beat')
local state = fence(ARGV[2], ARGV[3], '', r)
if state ~= 'current' then
  return {REFUSED[state]}
end
local by, ends = string.match(r[6] or '', '^(%S+) (%d+)$')
if by == ARGV[4] then
  return {1, tonumber(ends)}
end
local lease = clock() + string.match(r[5], '^%d+')
-- A removal first: a full Redis must still let attempts go on.
call('ZREM', KEYS[2], ARGV[1])
call('ZADD', KEYS[2], lease, ARGV[1])
call('HSET', KEYS[1], 'beat', format('%s %d', ARGV[4], lease))
return {1, lease}
