-- Records what a delivery met: delivered and exhausted end the action, a retry waits for its time.
-- KEYS 1 action, 2 data, 3 output, 4 receivers, 5 idempotency record
-- ARGV 1 id, 2 token, 3 'delivered', 'exhausted' or 'pending', 4 delay of the retry, 5 host, 6 error or '',
--      7 retention
-- Returns 1, -1 unknown or -2 stale
local r = call('HMGET', KEYS[1], 'd_token', 'v')
if not r[1] then
  return -1
elseif r[1] == '=' .. ARGV[2] then
  return 1
elseif r[1] ~= ARGV[2] then
  return -2
end
if ARGV[3] == 'pending' then
  local due = clock() + ARGV[4]
  call('ZREM', KEYS[3], ARGV[1])
  call('ZADD', KEYS[3], due, ARGV[1])
  call('ZADD', KEYS[4], 'LT', due, ARGV[5])
  call('HSET', KEYS[1], 'v', r[2] + 1, 'd_token', '=' .. ARGV[2], 'd_due', due, 'd_error', ARGV[6])
  return 1
end
call('ZREM', KEYS[3], ARGV[1])
if call('EXISTS', KEYS[3]) == 0 then
  call('ZREM', KEYS[4], ARGV[5])
end
local _, stamp = clock()
local fields = {'v', format('%d', r[2] + 1), 'd_token', '=' .. ARGV[2], 'delivery', ARGV[3], 'd_due', stamp}
if ARGV[6] ~= '' then
  fields[9], fields[10] = 'd_error', ARGV[6]
end
call('HSET', KEYS[1], unpack(fields))
ended(KEYS[1], KEYS[2], KEYS[5], ARGV[7])
return 1
