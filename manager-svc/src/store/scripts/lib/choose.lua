-- Hand-over: the least loaded of up to four candidates that serves the target, takes work now, has
-- room, and has nothing waiting in either of its queues (else what waits would be overtaken).
-- A candidate is four keys from KEYS[first]: processor, pending, input of its id, input of its name.
-- Returns nil, or {candidate, id, url, epoch, started_at}.
local function choose(first, candidates, target, now)
  local best, least
  for i = 1, candidates do
    local k = first + 4 * (i - 1)
    local p = call('HMGET', KEYS[k],
      'id', 'name', 'status', 'held_until', 'capacity', 'url', 'epoch', 'started_at')
    if p[3] == 'active' and (p[1] == target or p[2] == target) and (tonumber(p[4] or '') or 0) <= now then
      local load = call('ZCARD', KEYS[k + 1])
      if load < (tonumber(p[5] or '') or 0) and (not least or load < least)
        and call('EXISTS', KEYS[k + 2], KEYS[k + 3]) == 0 then
        best, least = {i, p[1], p[6], p[7], p[8] or ''}, load
      end
    end
  end
  return best
end

-- The answer to a script that was sent again: the claim it made, while that claim still stands.
local function chosen(first, candidate, standing)
  if candidate < 1 or not standing then
    return {0}
  end
  local p = call('HMGET', KEYS[first + 4 * (candidate - 1)], 'id', 'url', 'epoch', 'started_at')
  return {candidate, p[1], p[2], p[3], p[4] or ''}
end

-- The fields of a record whose attempt `tries`, dispatch `dispatches`, is claimed now.
local function claim_fields(claim, token, tries, dispatches, stamp)
  local boot = claim[5] ~= '' and claim[5] or '-'
  return {'token', token, 'held', table.concat({claim[2], claim[4], boot, stamp}, ' '),
    'tries', tries, 'dispatches', dispatches}
end

local function append(list, more)
  for i = 1, #more do
    list[#list + 1] = more[i]
  end
end
