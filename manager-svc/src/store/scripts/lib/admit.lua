-- How many are live, and what submitting is refused for, asked once.
local marked, lives = {}, nil

-- Whether new actions are let in: nothing, or the refusal, {-6} too many are live, {-7} memory is above the mark, or
-- {-8, host} too many outcomes wait for a receiver. `live` may have `most` entries; then come the hosts.
local function not_admitted(live, marks, actions, most, ...)
  lives = lives or call('ZCARD', live)
  if lives + actions > tonumber(most) then
    return {-6}
  end
  local ask = {'memory'}
  for i = 1, select('#', ...) do
    local host = (select(i, ...))
    if marked[host] == nil then ask[#ask + 1] = host end
  end
  if #ask > 1 or marked.memory == nil then
    for i, mark in ipairs(call('HMGET', marks, unpack(ask))) do marked[ask[i]] = mark end
  end
  if marked.memory then
    return {-7}
  end
  for i = 1, select('#', ...) do
    if marked[select(i, ...)] then
      return {-8, (select(i, ...))}
    end
  end
end

local function let_in(actions)
  lives = lives + actions
end
