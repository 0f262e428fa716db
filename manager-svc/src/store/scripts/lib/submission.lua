-- One submission: where each of its actions begins in ARGV, and its arguments by name; in KEYS it begins at `k`, and
-- its candidates at `first`. Answers also where the next one begins.
local function submission(k, a)
  local one = {k = k, hosts = a + 6, first = k + 1 + 3 * ARGV[a]}
  one.actions, one.candidates, one.token, one.body, one.most = unpack(ARGV, a, a + 4)
  one.last = a + 5 + ARGV[a + 5]
  a = one.last + 1
  for i = 1, one.actions do
    one[i] = a
    a = a + 7 + 2 * ARGV[a + 6]
  end
  return one, one.first + 4 * one.candidates, a
end

-- The answer to one that is not accepted now, or nothing.
local function not_taken(one, live, marks)
  local before = call('HMGET', KEYS[one.k + 1], 'created', 'handed', 'token')
  if before[1] then
    return {1, tonumber(before[1]), chosen(one.first, tonumber(before[2]), before[3] == one.token)}
  end
  local known = one.body ~= '' and call('HMGET', KEYS[one.k], 'hash', 'ids')
  if known and known[1] then
    return known[1] == one.body and {2, known[2]} or {-5}
  end
  local refusal = not_admitted(live, marks, one.actions, one.most, unpack(ARGV, one.hosts, one.last))
  if refusal then
    return refusal
  end
  -- Written a moment ago with a TTL. Without one, and for no action yet, it is what a script left that failed.
  for i = 1, one.actions do
    local action, data = KEYS[one.k + 3 * i - 2], KEYS[one.k + 3 * i - 1]
    if call('PERSIST', data) == 0 and call('EXISTS', data) <= call('EXISTS', action) then
      return {-4}
    end
  end
  let_in(one.actions)
end

-- What was written for one that is not accepted is dropped. A copy brings the names of payloads that may be in use
-- since.
local function refused(one)
  for i = 1, one.actions do
    if call('HGET', KEYS[one.k + 3 * i - 2], 'data') ~= ARGV[one[i] + 1] then
      drop(KEYS[one.k + 3 * i - 1])
    end
  end
end
