-- Whether new actions are let in: nothing, or the refusal, {-6} too many are live, {-7} memory is above the mark, or
-- {-8, host} too many outcomes wait for a receiver. `live` may have `most` entries; then come the hosts.
local function not_admitted(live, marks, actions, most, ...)
  if call('ZCARD', live) + actions > tonumber(most) then
    return {-6}
  end
  local marked = call('HMGET', marks, 'memory', ...)
  if marked[1] then
    return {-7}
  end
  for i = 2, select('#', ...) + 1 do
    if marked[i] then
      return {-8, (select(i - 1, ...))}
    end
  end
end
