-- Accepts actions, all or none. A token is given only for a single one without delay: claim it at once.
-- KEYS 1 seq, 2 live, 3 targets, 4 delayed, 5 idempotency record, 6 marks;
--      then per action: action, data, input of its first target; then four per candidate
-- ARGV 1 actions, 2 candidates, 3 token hash of the claim or '', 4 hash of the body or '', 5 hosts, 6 most live;
--      the hosts, then per action: id, nonce, target, timeout, delay, expiry, n, n fixed fields and values
-- Returns {1, now, claim} accepted, {2, ids} known, {-4} payload missing, {-5} another body, {-6} full,
--         {-7} above the memory mark, {-8, host} too much waits for the host
local actions, candidates, first = tonumber(ARGV[1]), tonumber(ARGV[2]), 7 + 3 * ARGV[1]
local function each(visit)
  local at = 7 + ARGV[5]
  for i = 1, actions do
    visit(KEYS[4 + 3 * i], KEYS[5 + 3 * i], KEYS[6 + 3 * i], at)
    at = at + 7 + 2 * ARGV[at + 6]
  end
end
-- A copy brings the names of payloads that may be in use since.
local function refuse(answer)
  each(function(action, data, _, at)
    if call('HGET', action, 'data') ~= ARGV[at + 1] then call('UNLINK', data) end
  end)
  return answer
end
local before = call('HMGET', KEYS[7], 'created', 'handed', 'token')
if before[1] then
  return refuse({1, tonumber(before[1]), chosen(first, tonumber(before[2]), before[3] == ARGV[3])})
end
local known = ARGV[4] ~= '' and call('HMGET', KEYS[5], 'hash', 'ids')
if known and known[1] then return refuse(known[1] == ARGV[4] and {2, known[2]} or {-5}) end
local refusal = not_admitted(KEYS[2], KEYS[6], actions, ARGV[6], unpack(ARGV, 7, 6 + ARGV[5]))
if refusal then return refuse(refusal) end
-- Written a moment ago with a TTL: what has none to take away was not written.
local now, stamp = clock()
local present, claim, ids = 0, nil, {}
each(function(_, data) present = present + call('PERSIST', data) end)
if present < actions then return refuse({-4}) end
each(function(action, _, queue, at)
  local id, target, timeout, delay = ARGV[at], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  local deadline, seq = format('%d', now + delay + ARGV[at + 5]), 0
  claim = ARGV[3] ~= '' and choose(first, candidates, target, now)
  if claim then
    seq = call('INCR', KEYS[1])
    call('ZADD', KEYS[first + 4 * (claim[1] - 1) + 1], format('%d', now + timeout), id)
  elseif delay > 0 then
    call('ZADD', KEYS[4], now + delay, id)
  else
    seq = queue_up(queue, KEYS[1], KEYS[3], target, id)
  end
  local record = {'v', '1', 'run', '1', 'status', claim and 'running' or 'queued', 'step', '0',
    'data', ARGV[at + 1], 'job', timeout .. ' ' .. target, 'queued', format('%d %d', seq, now + delay),
    'created', stamp, 'deadline', deadline, 'handed', claim and claim[1] or 0}
  append(record, claim and claim_fields(claim, ARGV[3], '1', '1', stamp)
    or {'token', '', 'tries', '0', 'dispatches', '0'})
  for j = at + 7, at + 6 + 2 * ARGV[at + 6] do record[#record + 1] = ARGV[j] end
  call('HSET', action, unpack(record))
  call('ZADD', KEYS[2], deadline, id)
  ids[#ids + 1] = id
end)
if known then call('HSET', KEYS[5], 'hash', ARGV[4], 'ids', table.concat(ids, ' '), 'open', actions) end
return {1, now, claim or {0}}
