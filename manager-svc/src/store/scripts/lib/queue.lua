-- Makes an action ready behind all that is ready already. Returns its sequence number.
local function queue_up(queue, seq, targets, target, id)
  local number = call('INCR', seq)
  call('ZADD', queue, number, id)
  call('SADD', targets, target)
  return number
end
