-- Lists an input or output queue while it is not empty, and takes an empty one off its list.
-- KEYS 1 queue, 2 targets, 3 receivers, 4 repairs
-- ARGV 1 'input' or 'output', 2 name of the queue
-- Returns 1
if not list_queue(ARGV[1], KEYS[1], KEYS[2], KEYS[3], ARGV[2]) then
  call('INCR', KEYS[4])
end
return 1
