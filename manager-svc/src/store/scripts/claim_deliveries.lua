-- Claims outcomes that are due at one host.
-- KEYS 1 output; then the action records
-- ARGV 1 lease; then per action: id, token, the due time that was seen
-- Returns {record…}: per action its record as fields and values, or {} when it was not claimed
local now = clock()
local answer = {}
for i = 1, #KEYS - 1 do
  local action, id, token = KEYS[1 + i], ARGV[3 * i - 1], ARGV[3 * i]
  local r = call('HMGET', action, 'd_token', 'v', 'd_tries', 'd_due')
  local mine = r[1] == token
  if not mine and r[4] == ARGV[3 * i + 1] and tonumber(call('ZSCORE', KEYS[1], id) or now + 1) <= now then
    mine = true
    -- A removal first: a full Redis must still let outcomes be delivered.
    call('ZREM', KEYS[1], id)
    call('ZADD', KEYS[1], now + ARGV[1], id)
    call('HSET', action, 'v', r[2] + 1, 'd_token', token, 'd_tries', r[3] + 1, 'd_due', now + ARGV[1])
  end
  answer[i] = mine and call('HGETALL', action) or {}
end
return answer
