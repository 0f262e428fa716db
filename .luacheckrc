-- Redis scripts: Lua 5.1 and what Redis hands to a script.
std = "lua51"
max_line_length = 120
read_globals = {"ARGV", "KEYS", "bit", "cjson", "cmsgpack", "redis", "struct"}

-- A file of scripts/lib is prepended to the scripts that use it, so its locals are unused in itself and
-- come from nowhere in them.
local libs = io.popen("cat manager-svc/src/store/scripts/lib/*.lua 2>/dev/null")
for line in libs:lines() do
  local name = line:match("^local function ([%w_]+)") or line:match("^local ([%w_]+)")
  read_globals[#read_globals + 1] = name
end
libs:close()
files["manager-svc/src/store/scripts/lib"] = {ignore = {"211", "241"}}
