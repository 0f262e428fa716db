-- An action has ended when it has an outcome and nothing is left to deliver: only now its keys get a TTL.
local function ended(action, data, idempotency, retention)
  call('PEXPIRE', action, retention)
  call('PEXPIRE', data, retention)
  if idempotency ~= '{p0}:none' and call('EXISTS', idempotency) == 1
    and call('HINCRBY', idempotency, 'open', -1) <= 0 then
    call('PEXPIRE', idempotency, 86400000)
  end
end

-- Puts an outcome on its way: into the host's output queue, claimed at once when `token` is given and
-- nothing waits there. Returns the delivery's fields and whether it was claimed.
local function deliver(output, receivers, id, host, token, lease, now)
  local due, claimed = format('%d', now), false
  local idle = call('EXISTS', output) == 0
  if token ~= '' and (idle or call('ZCOUNT', output, '-inf', now) == 0) then
    due, claimed = format('%d', now + lease), true
  end
  call('ZADD', output, due, id)
  if idle then
    call('ZADD', receivers, now, host)
  end
  if claimed then
    return {'delivery', 'pending', 'd_token', token, 'd_tries', '1', 'd_due', due}, true
  end
  return {'delivery', 'pending', 'd_token', '', 'd_tries', '0', 'd_due', due}, false
end
