-- Lets a payload expire that no record names.
-- KEYS 1 data, 2 action, 3 repairs
-- ARGV 1 nonce of the payload
-- Returns 1 it expires, 0 it is the action's data
if call('TYPE', KEYS[2]).ok == 'hash' and call('HGET', KEYS[2], 'data') == ARGV[1] then
  return 0
elseif call('PEXPIRE', KEYS[1], 600000, 'NX') == 1 then
  call('INCR', KEYS[3])
end
return 1
