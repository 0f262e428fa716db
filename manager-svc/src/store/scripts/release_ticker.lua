-- Lets the next nudge start a tick: this one ends, or the one that was to start did not.
-- KEYS 1 ticker
-- ARGV 1 this tick, or 'starting'
-- Returns 1 released, 0 it was another's
if call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return call('UNLINK', KEYS[1])
