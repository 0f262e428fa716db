-- Whether a transition may settle the attempt. `r` holds the record's step, token, status and the
-- settlement of the step as `token nonce answer`.
-- Returns 'current'; 'again' and the first answer (same token, same nonce); 'duplicate' (same token,
-- another nonce); 'stale' (any other token); 'unknown' (no record).
local function fence(step, token, nonce, r)
  if not r[1] then
    return 'unknown'
  end
  if r[4] then
    local settled, by, answer = string.match(r[4], '^(%S+) (%S+) (.*)$')
    if settled == token then
      if by == nonce then
        return 'again', answer
      end
      return 'duplicate'
    end
  end
  if r[1] == step and r[2] == token and r[3] == 'running' then
    return 'current'
  end
  return 'stale'
end

-- The small integers by which a refusal travels.
local REFUSED = {unknown = -1, stale = -2, duplicate = -3}
local PAYLOAD_MISSING = -4

-- Who holds the attempt, and since when. A damaged record must not stop a transition half-way.
local function holder(held, stamp)
  local processor, since = string.match(held or '', '^(%S+) %S+ %S+ (%d+)$')
  return processor or '-', since or stamp
end

-- One settled attempt, as the timeline keeps it: with a failure, or without one when it succeeded.
local function line(step, processor, claimed, stamp, failure)
  return table.concat({step, processor, claimed, stamp, failure}, '\t')
end

-- A processor's counters are written by the transition that settles the attempt: exact after any crash. One
-- string of four numbers, changed together: processed, failed, the sum of the succeeded and the last, in ms.
local function count(key, succeeded, elapsed)
  local ms = format('%d', elapsed)
  if succeeded then
    call('BITFIELD', key, 'INCRBY', 'i64', '#0', '1', 'INCRBY', 'i64', '#2', ms, 'SET', 'i64', '#3', ms)
  else
    call('BITFIELD', key, 'INCRBY', 'i64', '#1', '1', 'SET', 'i64', '#3', ms)
  end
end
