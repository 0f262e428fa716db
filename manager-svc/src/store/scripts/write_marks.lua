-- Writes what submitting is refused for, in place of what was written before. It does not outlive its writers.
-- KEYS 1 marks
-- ARGV 1 how long the marks last; then per mark: 'memory', or a host
-- Returns nothing
call('UNLINK', KEYS[1])
for i = 2, #ARGV do call('HSET', KEYS[1], ARGV[i], '1') end
if #ARGV > 1 then call('PEXPIRE', KEYS[1], ARGV[1]) end
