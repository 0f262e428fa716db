-- Claims outcomes that are due at one host.
-- KEYS 1 output; then the action records
-- ARGV 1 lease; then per action: id, token
-- Returns {now, record…}: per action its record as fields and values, or {} when it was not claimed
local now = clock()
local answer = {now}
for i = 1, #KEYS - 1 do
  local action, id, token = KEYS[1 + i], ARGV[2 * i], ARGV[1 + 2 * i]
  local r = redis.call('HMGET', action, 'd_token', 'v', 'd_tries')
  local mine = r[1] == token
  if not mine and r[1] and tonumber(redis.call('ZSCORE', KEYS[1], id) or now + 1) <= now then
    mine = true
    redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], id)
    redis.call('HSET', action, 'v', r[2] + 1, 'd_token', token, 'd_tries', r[3] + 1, 'd_due', now + ARGV[1])
  end
  answer[1 + i] = mine and redis.call('HGETALL', action) or {}
end
return answer
