-- Accepts submissions, each as if it were alone, of one or more actions, all or none of it; no action and no
-- idempotency record twice. A token is given only for a single action without delay: claim it at once.
-- KEYS 1 seq, 2 live, 3 targets, 4 delayed, 5 marks; then per submission: idempotency record, per action (action,
--      data, input of its first target), four per candidate
-- ARGV 1 submissions; then per submission: actions, candidates, token hash of the claim or '', hash of the body or '',
--      most live, hosts, the hosts, per action (id, nonce, target, timeout, delay, expiry, n, n fields and values)
-- Returns per submission {1, now, number and URL of the candidate that holds it, or 0} accepted, {2, ids} known,
--      {-4} payload missing, {-5} another body, {-6} full, {-7} above the memory mark, {-8, host} too much waits for it
local now, stamp = clock()
local answers, taken, ready, k, a, one = {}, {}, 0, 6, 2
for i = 1, tonumber(ARGV[1]) do
  one, k, a = submission(k, a)
  answers[i] = not_taken(one, KEYS[2], KEYS[5])
  if answers[i] then
    refused(one)
  else
    one.i, taken[#taken + 1] = i, one
    for j = 1, #one do
      if ARGV[one[j] + 4] == '0' then ready = ready + 1 end
    end
  end
end
local seq = draw(KEYS[1], ready)
for _, accepted in ipairs(taken) do
  local number, p, ids = 0, nil, {}
  for j = 1, #accepted do
    local key, at, place = accepted.k + 3 * j - 2, accepted[j], '0'
    local id, nonce, target, timeout, delay, expiry, fixed = unpack(ARGV, at, at + 6)
    if accepted.token ~= '' then number, p = choose(accepted.first, accepted.candidates, target, now) end
    if delay ~= '0' then
      add(KEYS[4], after(now, delay), id)
    else
      seq = seq + 1
      place = format('%d', seq)
      if p then
        add(KEYS[accepted.first + 4 * number - 3], after(now, timeout), id)
      else
        queue_up(KEYS[key + 2], place, KEYS[3], target, id)
      end
    end
    local deadline = after(now, delay == '0' and expiry or delay + expiry)
    add(KEYS[2], deadline, id)
    ids[j] = id
    call('HSET', KEYS[key], 'v', '1', 'run', '1', 'status', p and 'running' or 'queued', 'step', '0', 'data', nonce,
      'job', timeout .. ' ' .. target, 'queued', place .. ' ' .. after(now, delay), 'created', stamp,
      'deadline', deadline, 'handed', number, 'token', p and accepted.token or '', 'tries', p and '1' or '0',
      'dispatches', p and '1' or '0', p and 'held' or 'handed', p and held_by(p[1], p[7], p[8], stamp) or number,
      unpack(ARGV, at + 7, at + 6 + 2 * fixed))
  end
  if accepted.body ~= '' then
    call('HSET', KEYS[accepted.k], 'hash', accepted.body, 'ids', table.concat(ids, ' '), 'open', accepted.actions)
  end
  answers[accepted.i] = {1, now, number, p and p[6]}
end
flush()
return answers
