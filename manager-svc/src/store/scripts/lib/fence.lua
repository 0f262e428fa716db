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

-- One settled attempt, as the timeline keeps it: with a failure, or without one ('') when it succeeded.
local function line(step, processor, claimed, stamp, failure)
  local text = step .. '\t' .. processor .. '\t' .. claimed .. '\t' .. stamp
  return failure == '' and text or text .. '\t' .. failure
end
