-- Settles attempts that succeeded, or are skipped, each as if it were alone; no action twice. The next step becomes
-- ready, or is claimed at once; or the outcome is reached, and its delivery begins or is claimed at once.
-- KEYS 1 seq, 2 targets, 3 live, 4 done, 5 receivers; then per attempt: action, data before, data after (the same when
--      it stays), pending, statistics of the processor, input of the next target or output, idempotency record,
--      four per candidate
-- ARGV 1 attempts; then per attempt: id, step, token hash, nonce of the request, nonce of the data before, of the
--      data after, 'token' or 'lease' (when it is over), failure of a step that is skipped or '', outcome or '' (there
--      is a next step), next target or host ('' without response URL), its timeout or lease, retention, token hash of
--      the claim or '', candidates
-- Returns per attempt {1, now, number and URL of the candidate that holds the next step, or 1 for a delivery that is
--      claimed, or 0}, or {-1} unknown, {-2} stale, {-3} duplicate, {-4} payload missing
local now, stamp = clock()
local answers, taken, steps, k, a = {}, {}, 0, 6, 2
for i = 1, tonumber(ARGV[1]) do
  local last, follow, candidates = ARGV[a + 8] ~= '', ARGV[a + 12], ARGV[a + 13]
  local r, answer, refusal = settling(KEYS[k], KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], now, unpack(ARGV, a, a + 6))
  if answer then
    answers[i] = answered(k + 7, answer, last, follow, r)
  elseif refusal then
    answers[i] = refusal == DAMAGED and DAMAGED or {refusal}
  else
    remove(KEYS[k + 3], ARGV[a])
    r.processor, r.since = holder(r[6], stamp)
    count(KEYS[k + 4], ARGV[a + 7] == '', now - r.since)
    if last then
      remove(KEYS[3], ARGV[a])
      add(KEYS[4], stamp, ARGV[a])
    else
      steps = steps + 1
    end
    r.i, r.k, r.a, taken[#taken + 1] = i, k, a, r
  end
  k, a = k + 7 + 4 * candidates, a + 14
end
-- What left made room for what follows.
flush()
write_counts()
local seq = draw(KEYS[1], steps)
for _, r in ipairs(taken) do
  if ARGV[r.a + 8] == '' then
    seq = seq + 1
    answers[r.i] = go_on(r, r.k, r.a, format('%d', seq), KEYS[2], now, stamp)
  else
    answers[r.i] = reach(r, r.k, r.a, KEYS[5], now, stamp)
  end
  -- Not before: the record named it until now.
  if KEYS[r.k + 1] ~= KEYS[r.k + 2] then drop(KEYS[r.k + 1]) end
end
flush()
return answers
