-- Who holds an attempt that is claimed now, as the record keeps it: id, epoch, when it started, since when.
local function held_by(id, epoch, started_at, stamp)
  return id .. ' ' .. epoch .. ' ' .. (started_at and started_at ~= '' and started_at or '-') .. ' ' .. stamp
end
