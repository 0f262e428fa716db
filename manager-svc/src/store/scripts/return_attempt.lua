-- Takes an attempt back that its processor cannot make now ('busy': it said so, and is held until it wants to
-- be asked again), or will never end ('restart': it started anew since the claim, and told so; not one that drained
-- since). It costs no attempt: the action returns to its original place, for whoever serves it.
-- KEYS 1 action, 2 pending, 3 processor, 4 input of its target, 5 targets
-- ARGV 1 id, 2 step, 3 token hash, 4 nonce of this request, 5 'busy' or 'restart', 6 how long to hold or '',
--      7 target, 8 error, 9 how often a step may be handed back by restarts
-- Returns {1, now}, or {-1} unknown, {-2} stale, {-3} duplicate
local step, why, mark = ARGV[2], ARGV[5], ARGV[3] .. ' ' .. ARGV[4]
local r = call('HMGET', KEYS[1], 'step', 'token', 'status', 's:' .. step, 'v', 'held', 'tries',
  'queued', 'returns', 'lapsed')
local state, answer = fence(step, ARGV[3], ARGV[4], r)
answer = answer or first_answer(r[10], mark)
if answer then
  return {1, tonumber(answer)}
elseif state ~= 'current' then
  return {REFUSED[state]}
end
local now, stamp = clock()
local p = call('HMGET', KEYS[3], 'started_at', 'since', 'held_until', 'hold')
local ground, returns = 'token', r[9] or ''
if why == 'restart' then
  local epoch, boot = string.match(r[6] or '', '^%S+ (%d+) (%d+) ')
  local before, times = string.match(returns, '^(%d+) (%d+)$')
  times = before == step and tonumber(times) or 0
  local lost = boot and tonumber(boot) < (tonumber(p[1] or '') or 0) and tonumber(epoch) >= tonumber(p[2] or 0)
  if not lost or times >= tonumber(ARGV[9]) then
    return {REFUSED.stale}
  end
  -- Whoever held it learns by 409 that it came too late, as after a lease that ended.
  ground, returns = 'lease', format('%s %d', step, times + 1)
end
call('ZREM', KEYS[2], ARGV[1])
local seq = string.match(r[8] or '', '^%d+') or '0'
call('ZADD', KEYS[4], seq, ARGV[1])
call('SADD', KEYS[5], ARGV[7])
-- Ready a moment later: a copy of a claim that saw the queue before must find that it looked too early.
call('HSET', KEYS[1], 'v', r[5] + 1, 'token', '', 'tries', math.max(0, (r[7] or 1) - 1), 'error', ARGV[8],
  'queued', format('%s %d', seq, now + 1), 'returns', returns, settlement(ground, step), mark .. ' ' .. stamp)
if why == 'busy' and call('EXISTS', KEYS[3]) == 1 then
  local until_then, last, hold = tonumber(p[3] or 0), tonumber(p[4] or 0), tonumber(ARGV[6])
  if not hold then
    -- It did not say how long: a second, doubling to a minute while it goes on.
    hold = until_then > now and until_then - now
      or now - until_then <= last and math.min(2 * last, 60000) or 1000
    last = until_then > now and last or hold
  end
  call('HSET', KEYS[3], 'held_until', format('%d', math.max(until_then, now + hold)),
    'hold', format('%d', last))
end
return {1, now}
