local call = redis.call
local format = string.format

-- The one clock of every transition: the server's, in milliseconds, as a number to reckon with and as the
-- text to store (a number costs a slow conversion each time it is handed to Redis).
local function clock()
  local time = call('TIME')
  local text = time[1] .. string.sub('00000' .. time[2], -6, -4)
  return tonumber(text), text
end
