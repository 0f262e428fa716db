-- A processor's counters are written by the transition that settles the attempt: exact after any crash. One
-- string of four numbers, changed together: processed, failed, the sum of the succeeded and the last, in ms.
local counts = {}
local function count(key, succeeded, elapsed)
  local one = counts[key]
  if not one then
    one = {key, 0, 0, 0}
    counts[key], counts[#counts + 1] = one, one
  end
  if succeeded then
    one[2], one[4] = one[2] + 1, one[4] + elapsed
  else
    one[3] = one[3] + 1
  end
  one[5] = elapsed
end

local function write_counts()
  for i = 1, #counts do
    local one = counts[i]
    call('BITFIELD', one[1], 'INCRBY', 'i64', '#0', format('%d', one[2]), 'INCRBY', 'i64', '#1', format('%d', one[3]),
      'INCRBY', 'i64', '#2', format('%d', one[4]), 'SET', 'i64', '#3', format('%d', one[5]))
  end
end
