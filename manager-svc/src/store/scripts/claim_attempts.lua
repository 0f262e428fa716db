-- Claims queued actions for one processor, as far as it takes work and has room.
-- KEYS 1 processor, 2 pending, 3 input of its id, 4 input of its name, 5 targets, 6… action records
-- ARGV 1 processor id, 2 processor name, then per action: id, token hash
-- Returns {now, url, epoch, record…}: per action its record as fields and values, or {} when it was not
--         claimed; {} when the processor takes no work
local p = redis.call('HMGET', KEYS[1], 'name', 'status', 'held_until', 'capacity', 'url', 'epoch', 'started_at')
local now, stamp = clock()
local takes = p[1] == ARGV[2] and p[2] == 'active' and tonumber(p[3] or 0) <= now
local room = takes and p[4] - redis.call('ZCARD', KEYS[2]) or 0
local answer, taken = {now, p[5] or '', p[6] or ''}, false
local claim = {0, ARGV[1], p[5], p[6], p[7] or ''}
for i = 1, #KEYS - 5 do
  local action, id, token = KEYS[5 + i], ARGV[1 + 2 * i], ARGV[2 + 2 * i]
  local r = redis.call('HMGET', action, 'token', 'v', 'tries', 'dispatches', 'job')
  local mine = r[1] == token
  if not mine and r[1] and room > 0
    and redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[4], id) > 0 then
    mine, taken, room = true, true, room - 1
    local fields = claim_fields(claim, token, r[3] + 1, r[4] + 1, stamp)
    append(fields, {'v', r[2] + 1, 'status', 'running'})
    redis.call('HSET', action, unpack(fields))
    redis.call('ZADD', KEYS[2], now + string.match(r[5], '^%d+'), id)
  end
  answer[3 + i] = mine and redis.call('HGETALL', action) or {}
end
if taken then
  for i = 1, 2 do
    if redis.call('EXISTS', KEYS[2 + i]) == 0 then
      redis.call('SREM', KEYS[5], ARGV[i])
    end
  end
end
return answer
