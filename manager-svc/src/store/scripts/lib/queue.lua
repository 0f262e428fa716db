-- Draws as many sequence numbers as are needed; answers the last one before them.
local function draw(seq, count)
  return count > 0 and call('INCRBY', seq, count) - count or 0
end

-- The queues that something was put into by this script.
local filled = {}

-- Makes an action ready, behind all that is ready already when its number was drawn now.
local function queue_up(queue, number, targets, target, id)
  add(queue, number, id)
  if not filled[queue] then
    call('SADD', targets, target)
    filled[queue] = true
  end
end
