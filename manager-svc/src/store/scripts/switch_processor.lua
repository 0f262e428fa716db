-- Pauses or resumes a processor: whether it is given new work. Pending work and health checks go on.
-- KEYS 1 processor, 2 pending, 3 epochs
-- ARGV 1 version of the last pause or resume that was seen, 2 nonce, 3 'paused' or 'active'
-- Returns {1, status, pending}, {-1} not registered, {-2} another came since, {-3} it is leaving
local r = call('HMGET', KEYS[1], 'status', 'switched')
local version, by = string.match(r[2] or '0 -', '^(%d+) (%S+)$')
local pending = call('ZCARD', KEYS[2])
if not r[1] then
  return {-1}
elseif by == ARGV[2] then
  return {1, ARGV[3], pending}
elseif r[1] == 'draining' then
  return {-3}
elseif version ~= ARGV[1] then
  return {-2}
elseif (r[1] == 'paused') == (ARGV[3] == 'paused') then
  return {1, r[1], pending}
end
-- A removal first: an operator may want to stop work because Redis is full. The version comes from the counter of
-- epochs, so that no later registration of the same id ever has it again.
call('HDEL', KEYS[1], 'status')
call('HSET', KEYS[1], 'status', ARGV[3], 'switched', call('INCR', KEYS[3]) .. ' ' .. ARGV[2])
return {1, ARGV[3], pending}
