-- Claims outcomes that are due at one host, and says when the host is to be looked at next.
-- KEYS 1 output, 2 receivers; then the action records
-- ARGV 1 host, 2 lease, 3 when the host may be tried again at the earliest (its share is full), or 0;
--      then per action: id, token, the due time that was seen
-- Returns {record…}: per action its record as fields and values, or {} when it was not claimed
local now = clock()
local answer = {}
for i = 1, #KEYS - 2 do
  local action, id, token, seen = KEYS[2 + i], ARGV[1 + 3 * i], ARGV[2 + 3 * i], ARGV[3 + 3 * i]
  local r = call('HMGET', action, 'd_token', 'v', 'd_tries', 'd_due')
  local mine = r[1] == token
  if not r[1] then
    -- No outcome of any action: it must not block what is behind it.
    call('ZREM', KEYS[1], id)
  elseif not mine and r[4] == seen and tonumber(call('ZSCORE', KEYS[1], id) or now + 1) <= now then
    mine = true
    -- A removal first: a full Redis must still let outcomes be delivered.
    call('ZREM', KEYS[1], id)
    call('ZADD', KEYS[1], now + ARGV[2], id)
    call('HSET', action, 'v', (r[2] or 0) + 1, 'd_token', token, 'd_tries', (r[3] or 0) + 1,
      'd_due', now + ARGV[2])
  end
  answer[i] = mine and call('HGETALL', action) or {}
end
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
