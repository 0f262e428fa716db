-- What is known of a candidate, asked once: its record; `load` when it takes work now, and whether something waits.
-- A candidate is four keys from KEYS[k]: processor, pending, input of its id, input of its name.
local asked = {}
local function candidate(k, now)
  local p = asked[KEYS[k]]
  if not p then
    p = call('HMGET', KEYS[k], 'id', 'name', 'status', 'held_until', 'capacity', 'url', 'epoch', 'started_at')
    asked[KEYS[k]] = p
    -- One that cannot be read whole takes nothing.
    if p[3] == 'active' and p[6] and p[7] and (tonumber(p[4] or '') or 0) <= now then
      p.load, p.capacity = call('ZCARD', KEYS[k + 1]), tonumber(p[5] or '') or 0
      p.waits = p.load < p.capacity and call('EXISTS', KEYS[k + 2], KEYS[k + 3]) > 0
    end
  end
  return p
end

-- Hand-over: the least loaded of up to four candidates that serves the target, takes work now, has
-- room, and has nothing waiting in either of its queues (else what waits would be overtaken).
-- Answers its number and record, or 0.
local function choose(first, candidates, target, now)
  local best, number = nil, 0
  for i = 1, candidates do
    local k = first + 4 * (i - 1)
    local p = candidate(k, now)
    if p.load and (p[1] == target or p[2] == target) and p.load < p.capacity
      and (not best or p.load < best.load)
      and not (p.waits or filled[KEYS[k + 2]] or filled[KEYS[k + 3]]) then
      best, number = p, i
    end
  end
  if best then
    best.load = best.load + 1
  end
  return number, best
end

-- The answer to a script that was sent again: the claim it made, while that claim still stands.
local function chosen(first, number, standing)
  if number > 0 and standing then
    return number, call('HGET', KEYS[first + 4 * (number - 1)], 'url')
  end
  return 0
end
