-- Forgets actions that have ended: entry, record and payload together. One that changed since it was seen, or whose
-- outcome is still to be delivered, is left alone; an entry whose record has expired goes too.
-- KEYS 1 done or failed; then per action: action, data
-- ARGV per action: id, score that was seen, version that was seen or '' (no record)
-- Returns how many were left alone
local gone, keys, left = {}, {}, 0
for i = 1, (#KEYS - 1) / 2 do
  local action, id, score, version = KEYS[2 * i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local at = call('ZSCORE', KEYS[1], id)
  if at == score then
    local r = call('HMGET', action, 'v', 'ended', 'delivery')
    local over = r[1] == version and r[2] and r[3] ~= 'pending'
    if over or not r[1] and call('EXISTS', action) == 0 then
      gone[#gone + 1] = id
      if over then keys[#keys + 1], keys[#keys + 2] = action, KEYS[2 * i + 1] end
    else
      left = left + 1
    end
  elseif at then
    left = left + 1
  end
end
if #gone > 0 then call('ZREM', KEYS[1], unpack(gone)) end
if #keys > 0 then call('UNLINK', unpack(keys)) end
return left
