-- What a script writes to one key is written in one call, when it flushes: each call costs more than what it adds.
local gathered, dropped = {}, {}
local lists = {ZREM = {}, ZADD = {}}
local function list_of(command, key)
  local list = lists[command][key]
  if not list then
    list = {command, key}
    lists[command][key], gathered[#gathered + 1] = list, list
  end
  return list
end

local function remove(key, member)
  local list = list_of('ZREM', key)
  list[#list + 1] = member
end

local function add(key, score, member)
  local list = list_of('ZADD', key)
  local last = #list
  list[last + 1], list[last + 2] = score, member
end

-- Unlinks a key after all else is written.
local function drop(key)
  dropped[#dropped + 1] = key
end

local function flush()
  for i = 1, #gathered do
    call(unpack(gathered[i]))
  end
  if #dropped > 0 then
    call('UNLINK', unpack(dropped))
  end
  gathered, dropped, lists = {}, {}, {ZREM = {}, ZADD = {}}
end

-- Whether a field holds a number: what cannot be reckoned with must be found before anything is written.
local function is_number(field)
  return tonumber(field or '') ~= nil
end

-- The answer for one that cannot be read, which is no affair of what goes with it.
local DAMAGED = {err = 'ERR the record is damaged'}

-- A time from now as text, by how far off it is (as text too): few differ in one script.
local times = {}
local function after(now, ms)
  local text = times[ms]
  if not text then
    text = format('%d', now + ms)
    times[ms] = text
  end
  return text
end
