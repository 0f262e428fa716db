-- Claims queued actions for one processor, as far as it takes work and has room, each only while it is the
-- first of its queue: whatever the caller saw, the order of claims is the order of the queue.
-- KEYS 1 processor, 2 pending, 3 input of its id, 4 input of its name, 5 targets, 6… action records
-- ARGV 1 processor id, 2 processor name, 3 when the queues were looked at; then per action: id, token hash, the
--      sequence number that was seen (a copy that arrives late must not claim what became ready since)
-- Returns {url, epoch, record…}: per action its record as fields and values, or {} when it was not claimed
local p = call('HMGET', KEYS[1], 'name', 'status', 'held_until', 'capacity', 'url', 'epoch', 'started_at')
local now, stamp = clock()
local takes = p[1] == ARGV[2] and p[2] == 'active' and p[6] and tonumber(p[3] or 0) <= now
local room = takes and p[4] - call('ZCARD', KEYS[2]) or 0
local answer, mine, claimed = {p[5] or '', p[6] or ''}, {}, {}
-- A copy that arrives long after the look only tells what the first one claimed.
local looked = tonumber(ARGV[3])
local fresh = now - looked < 5000
-- The heads of both queues, and what has left them.
local heads, gone = {call('ZRANGE', KEYS[3], 0, #KEYS - 6), call('ZRANGE', KEYS[4], 0, #KEYS - 6)}, {}
local function is_first(id)
  for _, head in ipairs(heads) do
    while gone[head[1]] do table.remove(head, 1) end
    if head[1] == id then return true end
  end
end
for i = 1, #KEYS - 5 do
  local id, token, seen = ARGV[1 + 3 * i], ARGV[2 + 3 * i], ARGV[3 + 3 * i]
  local r = call('HMGET', KEYS[5 + i], 'token', 'v', 'tries', 'dispatches', 'job', 'queued', 'status')
  local seq, ready = string.match(r[6] or '', '^(%d+) (%d+)$')
  local lease = string.match(r[5] or '', '^%d+')
  mine[i] = r[1] == token
  if not (seq and lease and is_number(r[2]) and is_number(r[3]) and is_number(r[4])) then
    -- No record, or none that can be read: it must not block what is behind it.
    remove(KEYS[3], id)
    remove(KEYS[4], id)
    gone[id] = true
  elseif not mine[i] and fresh and room > 0 and seq == seen and (r[1] or '') == ''
    and (r[7] == 'queued' or r[7] == 'running')
    -- Nothing in here becomes ready later than in a moment, unless the server's clock has stepped back.
    and (tonumber(ready) <= looked or tonumber(ready) > now + 1) and is_first(id) then
    remove(KEYS[3], id)
    remove(KEYS[4], id)
    gone[id], room, mine[i] = true, room - 1, true
    r.i, r.lease, claimed[#claimed + 1] = i, after(now, lease), r
  end
end
if next(gone) then flush() end
for _, r in ipairs(claimed) do
  call('HSET', KEYS[5 + r.i], 'v', format('%d', r[2] + 1), 'status', 'running', 'token', ARGV[2 + 3 * r.i],
    'held', held_by(ARGV[1], p[6], p[7], stamp), 'tries', format('%d', r[3] + 1), 'dispatches', format('%d', r[4] + 1))
  add(KEYS[2], r.lease, ARGV[1 + 3 * r.i])
end
flush()
for i = 1, 2 do
  if next(gone) and call('EXISTS', KEYS[2 + i]) == 0 then call('SREM', KEYS[5], ARGV[i]) end
end
for i = 1, #mine do answer[2 + i] = mine[i] and call('HGETALL', KEYS[5 + i]) or {} end
return answer
