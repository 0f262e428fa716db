-- An action has ended when it has an outcome and nothing is left to deliver: only now its keys get a TTL.
local function ended(action, data, idempotency, retention)
  call('PEXPIRE', action, retention)
  call('PEXPIRE', data, retention)
  if idempotency ~= '{p0}:none' and call('EXISTS', idempotency) == 1
    and call('HINCRBY', idempotency, 'open', -1) <= 0 then
    call('PEXPIRE', idempotency, 86400000)
  end
end

-- When the first outcome of an output queue is due, asked once.
local heads = {}

-- Puts an outcome on its way: into the host's output queue, claimed at once when `token` is given and
-- nothing waits there. Answers the delivery's token, tries, and due time.
local function deliver(output, receivers, id, host, token, lease, now, stamp)
  local first = heads[output] or tonumber(call('ZRANGE', output, 0, 0, 'WITHSCORES')[2] or math.huge)
  local tries, due = '1', after(now, lease)
  if token == '' or first <= now then
    token, tries, due = '', '0', stamp
  end
  add(output, due, id)
  heads[output] = math.min(first, due)
  if tonumber(due) < first then
    call('ZADD', receivers, 'LT', due, host)
  end
  return token, tries, due
end

-- The opposite of `ended`: something is to happen to the action again, so its keys lose their TTL. `had` says whether
-- it had ended. An idempotency record that expired, or that its key has begun anew, is the action's no more.
local function live_again(action, data, idempotency, id, had)
  call('PERSIST', action)
  call('PERSIST', data)
  if idempotency == '{p0}:none' or not had then
    return
  elseif string.find(call('HGET', idempotency, 'ids') or '', id, 1, true) then
    call('PERSIST', idempotency)
    call('HINCRBY', idempotency, 'open', 1)
  else
    call('HDEL', action, 'idempotency')
  end
end
