-- Adds a processor, or renews one: a new epoch, the same counters, and a pause holds. `since` is the first epoch of
-- a row of registrations: one after a drain begins another, so that what the old instance holds stays its own.
-- KEYS 1 processor, 2 processors, 3 epochs, 4 known, 5 ids of its name, 6 ids whose name is its id,
--      7 processor whose id is its name, 8 ids of the name it had before, 9 registrations that left
-- ARGV 1 id, 2 name, 3 url, 4 capacity, 5 nonce, 6 epoch that was seen, of the record or of the registration that
--      left, or 0, 7 started_at or '', 8 cpu percent or '', 9 memory bytes or '', 10 health interval
-- Returns {1 added or 2 renewed, epoch}, {-1} the record changed since, {-2} the id is another's name,
--         {-3} the name is another's id
local id, name = ARGV[1], ARGV[2]
local r = call('HMGET', KEYS[1], 'epoch', 'answer', 'registered_by', 'status', 'switched', 'since')
local seen, first, by = r[1], r[2], r[3]
if not seen then
  seen, first, by = string.match(call('HGET', KEYS[9], id) or '', '^(%d+) (%d) (%S+)$')
end
if by == ARGV[5] then
  return {tonumber(first), tonumber(seen)}
elseif (seen or '0') ~= ARGV[6] then
  return {-1}
elseif call('SCARD', KEYS[6]) > call('SISMEMBER', KEYS[6], id) then
  return {-2}
elseif id ~= name and call('EXISTS', KEYS[7]) == 1 then
  return {-3}
end
if seen then
  -- A removal first: who was here before comes back to a full Redis too, or nothing would make room.
  call('HDEL', KEYS[1], 'registered_by', 'checked_by', 'recorded')
  call('HDEL', KEYS[9], id)
end
local now, epoch, answer = clock(), call('INCR', KEYS[3]), r[1] and 2 or 1
local since = r[4] and r[4] ~= 'draining' and r[6] or epoch
call('SREM', KEYS[8], id)
call('SADD', KEYS[5], id)
call('ZADD', KEYS[4], now, id, now, name)
call('ZADD', KEYS[2], now + ARGV[10], id)
call('HSET', KEYS[1], 'id', id, 'name', name, 'url', ARGV[3], 'capacity', ARGV[4], 'epoch', epoch, 'since', since,
  'status', r[4] == 'paused' and 'paused' or 'active', 'switched', r[5] or epoch .. ' -',
  'misses', 0, 'registered_by', ARGV[5], 'answer', answer, 'connected_on', now,
  'last_seen', now, 'started_at', ARGV[7], 'cpu', ARGV[8], 'memory', ARGV[9])
return {answer, epoch}
