-- What follows a step that is done. `r` is the record as it was, with `processor` and `since` of its attempt; `k` and
-- `a` are where its part of KEYS and ARGV begins.

-- The answer to a settlement that was sent again, while what it claimed still stands.
local function answered(first, answer, last, follow, r)
  local at, claimed = string.match(answer, '^(%d+) (%d+)$')
  if last then
    return {1, tonumber(at), r[9] == follow and tonumber(claimed) or 0}
  end
  return {1, tonumber(at), chosen(first, tonumber(claimed), r[2] == follow)}
end

-- What the record keeps of the attempt in any case: fields and values.
local function settled_fields(r, a, mark, stamp)
  local step, token, nonce, _, data, ground, failure = unpack(ARGV, a + 1, a + 7)
  return 'v', format('%d', r[5] + 1), 'data', data, 'a:' .. r[7], line(step, r.processor, r.since, stamp, failure),
    settlement(ground, step), token .. ' ' .. nonce .. ' ' .. stamp .. ' ' .. mark
end

-- The next step: ready, with the sequence number `seq`, or claimed at once.
local function go_on(r, k, a, seq, targets, now, stamp)
  local id, step, target, timeout, follow = ARGV[a], ARGV[a + 1], ARGV[a + 9], ARGV[a + 10], ARGV[a + 12]
  local number, p = 0, nil
  if follow ~= '' then number, p = choose(k + 7, ARGV[a + 13], target, now) end
  if p then
    add(KEYS[k + 4 + 4 * number], after(now, timeout), id)
  else
    queue_up(KEYS[k + 5], seq, targets, target, id)
  end
  call('HSET', KEYS[k], 'step', format('%d', step + 1), 'job', timeout .. ' ' .. target,
    'queued', seq .. ' ' .. stamp, 'token', p and follow or '',
    p and 'held' or 'token', p and held_by(p[1], p[7], p[8], stamp) or '', 'tries', p and '1' or '0',
    'dispatches', p and format('%d', r[7] + 1) or r[7], settled_fields(r, a, number, stamp))
  return {1, now, number, p and p[6]}
end

-- The outcome, and its delivery where there is a host.
local function reach(r, k, a, receivers, now, stamp)
  local outcome, host, lease, retention, follow = unpack(ARGV, a + 8, a + 12)
  if host == '' then
    call('HSET', KEYS[k], 'status', outcome, 'token', '', 'ended', stamp, 'delivery', 'none',
      settled_fields(r, a, '0', stamp))
    ended(KEYS[k], KEYS[k + 2], KEYS[k + 6], retention)
    return {1, now, 0}
  end
  local token, tries, due = deliver(KEYS[k + 5], receivers, ARGV[a], host, follow, lease, now, stamp)
  call('HSET', KEYS[k], 'status', outcome, 'token', '', 'ended', stamp, 'delivery', 'pending', 'd_token', token,
    'd_tries', tries, 'd_due', due, settled_fields(r, a, tries, stamp))
  return {1, now, tonumber(tries)}
end
