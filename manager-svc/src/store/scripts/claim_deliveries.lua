-- Claims outcomes that are due at one host, and says when the host is to be looked at next.
-- KEYS 1 output, 2 receivers; then the action records
-- ARGV 1 host, 2 lease, 3 when the host may be tried again at the earliest (its share is full), or 0;
--      then per action: id, token, the due time that was seen
-- Returns {record…}: per action its record as fields and values, or {} when it was not claimed
local now = clock()
local until_then = format('%d', now + ARGV[2])
local answer, mine, claimed, ids = {}, {}, {}, {}
for i = 1, #KEYS - 2 do ids[i] = ARGV[1 + 3 * i] end
local dues = #ids > 0 and call('ZMSCORE', KEYS[1], unpack(ids)) or {}
for i, id in ipairs(ids) do
  local token, seen = ARGV[2 + 3 * i], ARGV[3 + 3 * i]
  local r = call('HMGET', KEYS[2 + i], 'd_token', 'v', 'd_tries', 'd_due')
  mine[i] = r[1] == token
  if not r[1] then
    -- No outcome of any action: it must not block what is behind it.
    remove(KEYS[1], id)
  elseif not mine[i] and is_number(r[2] or 0) and is_number(r[3] or 0) and r[4] == seen
    and tonumber(dues[i] or now + 1) <= now then
    -- A removal first: a full Redis must still let outcomes be delivered.
    remove(KEYS[1], id)
    mine[i], claimed[#claimed + 1] = true, {i, r, token}
  end
end
flush()
for _, one in ipairs(claimed) do
  local i, r, token = unpack(one)
  call('HSET', KEYS[2 + i], 'v', format('%d', (r[2] or 0) + 1), 'd_token', token,
    'd_tries', format('%d', (r[3] or 0) + 1), 'd_due', until_then)
  add(KEYS[1], until_then, ids[i])
end
flush()
for i = 1, #ids do answer[i] = mine[i] and call('HGETALL', KEYS[2 + i]) or {} end
local first = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local before = call('ZSCORE', KEYS[2], ARGV[1])
local next_look = first and format('%d', math.max(first, ARGV[3]))
if before ~= (next_look or false) then
  call('ZREM', KEYS[2], ARGV[1])
  if next_look then
    call('ZADD', KEYS[2], next_look, ARGV[1])
  end
end
return answer
