-- Forgets ids and names that nobody was registered with for long. What is registered counts as seen now, so that
-- it stands behind those that may be next.
-- KEYS 1 known, 2 registrations that left; then per target: processor of that id, ids of that name
-- ARGV 1 how long a target is remembered; then per target: itself
-- Returns nothing
local now = clock()
for i = 1, #ARGV - 1 do
  local target, seen = ARGV[1 + i], call('ZSCORE', KEYS[1], ARGV[1 + i])
  if seen and seen + ARGV[1] < now then
    call('ZREM', KEYS[1], target)
    if call('EXISTS', KEYS[1 + 2 * i], KEYS[2 + 2 * i]) > 0 then
      call('ZADD', KEYS[1], now, target)
    else
      call('HDEL', KEYS[2], target)
    end
  end
end
