-- Puts an action where its record says: out of every place where it should not be, into each where it should be.
-- What cannot be read of the record is written anew first; an id without a record is taken out of every place.
-- KEYS 1 action, 2 data, 3 idempotency record, 4 targets, 5 receivers, 6 repairs; then per place: its sorted set
-- ARGV 1 id, 2 version that was seen or '', 3 heartbeat that was seen or '', 4 mark of a change to the record or '',
--      5 retention of what has ended or '', 6 how many places, 7 how many fields to remove;
--      then per place: its score there or '', 'input', 'output' or '', name of the queue;
--      then the fields to remove, then the fields and values to write
-- Returns 1 all is in place, 0 the action has moved on
local hash, r = call('TYPE', KEYS[1]).ok == 'hash', {}
if hash then r = call('HMGET', KEYS[1], 'v', 'beat', 'mended') end
if ARGV[4] ~= '' and r[3] == ARGV[4] then
  return 1
elseif (r[1] or '') ~= ARGV[2] or (r[2] or '') ~= ARGV[3] then
  return 0
end
local places, wrong = tonumber(ARGV[6]), {}
for i = 1, places do
  if (call('ZSCORE', KEYS[6 + i], ARGV[1]) or '') ~= ARGV[5 + 3 * i] then
    wrong[#wrong + 1] = i
  end
end
local changed = #wrong > 0 or ARGV[4] ~= ''
for _, i in ipairs(wrong) do call('ZREM', KEYS[6 + i], ARGV[1]) end
if ARGV[5] == '' then
  changed = call('PERSIST', KEYS[1]) + call('PERSIST', KEYS[2]) + call('PERSIST', KEYS[3]) > 0 or changed
elseif ARGV[4] ~= '' then
  ended(KEYS[1], KEYS[2], KEYS[3], ARGV[5])
else
  changed = call('PEXPIRE', KEYS[1], ARGV[5], 'NX') + call('PEXPIRE', KEYS[2], ARGV[5], 'NX') > 0 or changed
end
local field = 8 + 3 * places
for _ = 1, ARGV[7] do
  call('HDEL', KEYS[1], ARGV[field])
  field = field + 1
end
for i = field, #ARGV, 2 do call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for _, i in ipairs(wrong) do
  local score, kind, name = ARGV[5 + 3 * i], ARGV[6 + 3 * i], ARGV[7 + 3 * i]
  if score ~= '' then call('ZADD', KEYS[6 + i], score, ARGV[1]) end
  list_queue(kind, KEYS[6 + i], KEYS[4], KEYS[5], name)
end
if changed then call('INCR', KEYS[6]) end
return 1
