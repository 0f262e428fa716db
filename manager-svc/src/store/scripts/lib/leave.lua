-- Removes a processor of which nothing is pending. What registered it is kept (`r`: its epoch, answer and nonce): a
-- copy of that registration that arrives late must not bring it back.
local function leave(processor, stats, processors, names, left, id, r)
  call('UNLINK', processor, stats)
  call('ZREM', processors, id)
  call('SREM', names, id)
  call('HSET', left, id, table.concat({r[1] or 0, r[2] or 1, r[3] or '-'}, ' '))
end
