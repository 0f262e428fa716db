-- Goes on lingering, while this tick is still the one.
-- KEYS 1 ticker
-- ARGV 1 this tick, 2 how long it holds, in milliseconds
-- Returns 1 it is the one, 0 it is not any more
if call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return call('PEXPIRE', KEYS[1], ARGV[2])
