-- Makes a tick the one that lingers, unless another one is.
-- KEYS 1 ticker
-- ARGV 1 this tick, 2 how long it holds, in milliseconds
-- Returns 1 it is the one, 0 another one is
local holder = call('GET', KEYS[1])
if holder and holder ~= 'starting' and holder ~= ARGV[1] then
  return 0
end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
