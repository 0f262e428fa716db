-- Claims queued actions for one processor, as far as it takes work and has room, each only while it is the
-- first of its queue: whatever the caller saw, the order of claims is the order of the queue.
-- KEYS 1 processor, 2 pending, 3 input of its id, 4 input of its name, 5 targets, 6… action records
-- ARGV 1 processor id, 2 processor name, 3 when the queues were looked at; then per action: id, token hash, the
--      sequence number that was seen (a copy that arrives late must not claim what became ready since)
-- Returns {url, epoch, record…}: per action its record as fields and values, or {} when it was not claimed
local p = call('HMGET', KEYS[1], 'name', 'status', 'held_until', 'capacity', 'url', 'epoch', 'started_at')
local now, stamp = clock()
local takes = p[1] == ARGV[2] and p[2] == 'active' and tonumber(p[3] or 0) <= now
local room = takes and p[4] - call('ZCARD', KEYS[2]) or 0
local answer, taken = {p[5] or '', p[6] or ''}, false
-- A copy that arrives long after the look only tells what the first one claimed.
local looked = tonumber(ARGV[3])
local fresh = now - looked < 5000
local claim = {0, ARGV[1], p[5], p[6], p[7] or ''}
for i = 1, #KEYS - 5 do
  local action, id, token, seen = KEYS[5 + i], ARGV[1 + 3 * i], ARGV[2 + 3 * i], ARGV[3 + 3 * i]
  local r = call('HMGET', action, 'token', 'v', 'tries', 'dispatches', 'job', 'queued', 'status')
  local mine, seq, ready = r[1] == token, string.match(r[6] or '', '^(%d+) (%d+)$')
  local lease = string.match(r[5] or '', '^%d+')
  local first = not mine and (call('ZRANGE', KEYS[3], 0, 0)[1] == id or call('ZRANGE', KEYS[4], 0, 0)[1] == id)
  if not (seq and lease and r[2] and r[3] and r[4]) then
    -- No record, or none that can be read: it must not block what is behind it.
    taken = call('ZREM', KEYS[3], id) + call('ZREM', KEYS[4], id) > 0 or taken
  elseif first and fresh and room > 0 and seq == seen and (r[1] or '') == ''
    and (r[7] == 'queued' or r[7] == 'running')
    -- Nothing in here becomes ready later than in a moment, unless the server's clock has stepped back.
    and (tonumber(ready) <= looked or tonumber(ready) > now + 1) then
    call('ZREM', KEYS[3], id)
    call('ZREM', KEYS[4], id)
    mine, taken, room = true, true, room - 1
    local fields = claim_fields(claim, token, r[3] + 1, r[4] + 1, stamp)
    append(fields, {'v', r[2] + 1, 'status', 'running'})
    call('HSET', action, unpack(fields))
    call('ZADD', KEYS[2], now + lease, id)
  end
  answer[2 + i] = mine and call('HGETALL', action) or {}
end
if taken then
  for i = 1, 2 do
    if call('EXISTS', KEYS[2 + i]) == 0 then
      call('SREM', KEYS[5], ARGV[i])
    end
  end
end
return answer
