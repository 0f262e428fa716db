-- Makes an action ready behind all that is ready already. Returns its sequence number.
local function queue_up(queue, seq, targets, target, id)
  local number = redis.call('INCR', seq)
  redis.call('ZADD', queue, number, id)
  redis.call('SADD', targets, target)
  return number
end
