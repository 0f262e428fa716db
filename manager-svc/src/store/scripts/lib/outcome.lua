-- An action has ended when it has an outcome and nothing is left to deliver: only now its keys get a TTL.
local function ended(action, data, idempotency, retention)
  redis.call('PEXPIRE', action, retention)
  redis.call('PEXPIRE', data, retention)
  if idempotency ~= '{p0}:none' and redis.call('EXISTS', idempotency) == 1
    and redis.call('HINCRBY', idempotency, 'open', -1) <= 0 then
    redis.call('PEXPIRE', idempotency, 86400000)
  end
end

-- Puts an outcome on its way: into the host's output queue, claimed at once when `token` is given and
-- nothing waits there. Returns the delivery's fields and whether it was claimed.
local function deliver(output, receivers, id, host, token, lease, now)
  local due, claimed = now, false
  local idle = redis.call('EXISTS', output) == 0
  if token ~= '' and (idle or redis.call('ZCOUNT', output, '-inf', now) == 0) then
    due, claimed = now + lease, true
  end
  redis.call('ZADD', output, due, id)
  if idle then
    redis.call('ZADD', receivers, now, host)
  end
  if claimed then
    return {'delivery', 'pending', 'd_token', token, 'd_tries', 1, 'd_due', due}, true
  end
  return {'delivery', 'pending', 'd_token', '', 'd_tries', 0, 'd_due', due}, false
end
