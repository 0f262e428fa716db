-- Records what deliveries met, each as if it were alone; no action twice: delivered and exhausted end the action, a
-- retry waits for its time.
-- KEYS 1 receivers; then per delivery: action, data, output, idempotency record
-- ARGV 1 deliveries; then per delivery: id, token, 'delivered', 'exhausted' or 'pending', delay of the retry, host,
--      error or '', retention
-- Returns per delivery 1, -1 unknown or -2 stale
local now, stamp = clock()
local answers, taken, outputs = {}, {}, {}
for i = 1, tonumber(ARGV[1]) do
  local k, a = 4 * i - 2, 7 * i - 5
  local r = call('HMGET', KEYS[k], 'd_token', 'v')
  local mine = '=' .. ARGV[a + 1]
  local held = r[1] == ARGV[a + 1]
  answers[i] = not r[1] and -1 or (held or r[1] == mine) and 1 or -2
  if r[1] and held and not is_number(r[2]) then
    answers[i] = DAMAGED
  elseif r[1] and held then
    r.k, r.a, r.mine, taken[#taken + 1] = k, a, mine, r
    remove(KEYS[k + 2], ARGV[a])
    outputs[KEYS[k + 2]] = ARGV[a + 4]
  end
end
flush()
for _, r in ipairs(taken) do
  local k, id, _, state, delay, host, why, retention = r.k, unpack(ARGV, r.a, r.a + 6)
  local v = format('%d', r[2] + 1)
  if state == 'pending' then
    local due = after(now, delay)
    call('ZADD', KEYS[k + 2], due, id)
    call('ZADD', KEYS[1], 'LT', due, host)
    call('HSET', KEYS[k], 'v', v, 'd_token', r.mine, 'd_due', due, 'd_error', why)
  else
    call('HSET', KEYS[k], 'v', v, 'd_token', r.mine, 'd_due', stamp, 'delivery', state)
    if why ~= '' then call('HSET', KEYS[k], 'd_error', why) end
    ended(KEYS[k], KEYS[k + 1], KEYS[k + 3], retention)
  end
end
for output, host in pairs(outputs) do
  if call('EXISTS', output) == 0 then call('ZREM', KEYS[1], host) end
end
return answers
