-- Writes what a health check found. Three consecutive misses stop new work, one success starts it again.
-- KEYS 1 processor, 2 known
-- ARGV 1 epoch that was checked, 2 nonce of the check, 3 '1' answered or '0' missed, 4 misses that stop,
--      5 started_at or '', 6 cpu percent or '', 7 memory bytes or ''
-- Returns 1 written, 0 the registration is another, or its record is damaged
local r = call('HMGET', KEYS[1], 'epoch', 'recorded', 'status', 'misses', 'id', 'name')
if r[1] ~= ARGV[1] or not (r[3] and r[5] and r[6]) then
  return 0
elseif r[2] == ARGV[2] then
  return 1
end
-- A removal first: a full Redis must still see processors come and go.
call('HDEL', KEYS[1], 'recorded')
if ARGV[3] == '1' then
  local now = clock()
  call('HSET', KEYS[1], 'recorded', ARGV[2], 'misses', 0, 'last_seen', now, 'started_at', ARGV[5],
    'cpu', ARGV[6], 'memory', ARGV[7], 'status', r[3] == 'unhealthy' and 'active' or r[3])
  call('ZADD', KEYS[2], now, r[5], now, r[6])
else
  local misses = (r[4] or 0) + 1
  local stop = r[3] == 'active' and misses >= tonumber(ARGV[4])
  call('HSET', KEYS[1], 'recorded', ARGV[2], 'misses', misses, 'status', stop and 'unhealthy' or r[3])
end
return 1
