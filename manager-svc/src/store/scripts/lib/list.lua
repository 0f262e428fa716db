-- Lists a queue ('input' or 'output') exactly while it is not empty, an output queue by its first entry at the
-- latest. A removal first: a full Redis must not keep repairs from being made. Returns whether it was listed so.
local function list_queue(kind, queue, targets, receivers, name)
  local first = call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2]
  if kind == 'input' then
    local listed = call('SREM', targets, name) == 1
    if first then call('SADD', targets, name) end
    return listed == (first ~= nil)
  elseif kind == 'output' then
    local listed = call('ZSCORE', receivers, name)
    call('ZREM', receivers, name)
    if first then call('ZADD', receivers, format('%d', math.min(first, listed or first)), name) end
    return (listed ~= false) == (first ~= nil)
  end
  return true
end
