-- Writes what a health check found. Three consecutive misses stop new work, one success starts it again. The next
-- check is due an interval after this one was claimed.
-- KEYS 1 processor, 2 known, 3 processors
-- ARGV 1 epoch that was checked, 2 nonce of the check, 3 '1' answered, '0' missed or '' nothing that counts,
--      4 misses that stop, 5 started_at or '', 6 cpu percent or '', 7 memory bytes or '', 8 interval
-- Returns 1 written, 0 the registration is another, or its record is damaged
local r = call('HMGET', KEYS[1], 'epoch', 'recorded', 'status', 'misses', 'id', 'name', 'started_at', 'checked_by')
if r[1] ~= ARGV[1] or not (r[3] and r[5] and r[6]) then
  return 0
elseif r[2] == ARGV[2] then
  return 1
end
-- A removal first: a full Redis must still see processors come and go.
call('HDEL', KEYS[1], 'recorded')
local now, stamp = clock()
local by, at = string.match(r[8] or '', '^(%S+) (%d+)$')
if by == ARGV[2] then
  call('ZADD', KEYS[3], 'XX', format('%d', math.max(at + ARGV[8], now)), r[5])
end
if ARGV[3] == '1' then
  -- A start only grows: who was asked before a restart, and answers after it, must not bring the earlier one back.
  local started = (tonumber(ARGV[5]) or 0) > (tonumber(r[7] or '') or 0) and ARGV[5] or r[7] or ''
  call('HSET', KEYS[1], 'recorded', ARGV[2], 'misses', 0, 'last_seen', stamp, 'started_at', started,
    'cpu', ARGV[6], 'memory', ARGV[7], 'status', r[3] == 'unhealthy' and 'active' or r[3])
  call('ZADD', KEYS[2], now, r[5], now, r[6])
elseif ARGV[3] == '0' then
  local misses = (r[4] or 0) + 1
  local stop = r[3] == 'active' and misses >= tonumber(ARGV[4])
  call('HSET', KEYS[1], 'recorded', ARGV[2], 'misses', misses, 'status', stop and 'unhealthy' or r[3])
else
  call('HSET', KEYS[1], 'recorded', ARGV[2])
end
return 1
