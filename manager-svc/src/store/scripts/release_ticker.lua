-- Lets the next nudge start a tick: this one ends, or the one that was to start did not.
-- KEYS 1 ticker
-- ARGV 1 this tick, or 'starting'
-- Returns 1 nobody lingers or starts, 0 another does
local holder = call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
call('UNLINK', KEYS[1])
return 1
