-- The settlement of an attempt that ended without a report: the mark of its token (or version) and request,
-- and the first answer. One field is enough: what was settled so before is over.
local function first_answer(lapsed, mark)
  if lapsed and string.sub(lapsed, 1, #mark + 1) == mark .. ' ' then
    return string.sub(lapsed, #mark + 2)
  end
end

-- Whether an attempt may be settled, and its output taken: `after` is the payload that came along, or
-- `before` when the data stays; `was` and `is` are their nonces. `ground` is 'token', or 'lease' when it
-- must be over. A payload that is not taken is dropped, unless it is the action's.
-- Returns the record's fields; then the answer to a request that was sent again, or the refusal; a damaged record
-- is refused as an error.
local function settling(action, before, after, pending, now, id, step, token, nonce, was, is, ground)
  local r = call('HMGET', action, 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'dispatches',
    'data', 'd_token')
  local state, answer = fence(step, token, nonce, r)
  if ground == 'lease' then
    answer = answer or first_answer(call('HGET', action, 'lapsed'), token .. ' ' .. nonce)
    if state == 'current' and tonumber(call('ZSCORE', pending, id) or 0) > now then
      state = 'stale'
    end
  end
  local refusal = not answer and (REFUSED[state] or r[8] ~= was and REFUSED.stale
    or not (is_number(r[5]) and is_number(r[7])) and DAMAGED)
  if before ~= after then
    if answer or refusal then
      if r[8] ~= is then call('UNLINK', after) end
    -- One without a TTL, which no record names, is what a script left that failed.
    elseif call('PERSIST', after) == 0 and call('EXISTS', after) == 0 then
      refusal = PAYLOAD_MISSING
    end
  end
  return r, answer, refusal or nil
end

-- The field that keeps a settlement. A lapsed token settles nothing: its holder learns by 409 that it came
-- too late.
local function settlement(ground, step)
  return ground == 'token' and 's:' .. step or 'lapsed'
end
