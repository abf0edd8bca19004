--[[
Journal of everything this mpv plays, for the station's agent to read. Installed in /etc/mpv/scripts it serves every
user. It only writes a file of its own and never disturbs the playing: whatever fails here fails silently.

One file per player, play-<sid>.jsonl, one JSON object per line, appended and closed at once. Each line has
  ev      open (a file was asked for), start (it was opened), restart (it runs, or runs on after a seek), pause, play,
          seek, speed, sound (mute or volume changed), tick, end (with reason and error), exit (the player leaves)
  n       number of the item in this player, from 1
  wall    epoch milliseconds as the PC believes, in steps of a second (Lua knows no finer)
  mono    milliseconds since boot, in steps of 10: the first figure of /proc/uptime, which is CLOCK_BOOTTIME. mpv's own
          mp.get_time() starts anywhere and cannot be compared with another process's clock
  boot    name of the boot that mono counts from, 32 hex digits
  pid     of the player
  pos     seconds into the content; was: the same before a seek or an end, at most a second old
  dur     length in seconds; path absolute, or an address; title; speed; paused, muted; vol in percent; audio, whether
          the file has sound
The folder is the script option station_journal-dir, else the environment's YUANJIAO_JOURNAL, else the agent's own.
]]

local utils = require "mp.utils"
local options = require "mp.options"

local TICK = 10
local PAUSED_TICK = 60

local settings = { dir = os.getenv("YUANJIAO_JOURNAL") or "/var/lib/yuanjiao/journal" }
options.read_options(settings, "station_journal")

local function first_line(path)
    local file = io.open(path, "r")
    if not file then return "" end
    local line = file:read("*l")
    file:close()
    return line or ""
end

local function mono()
    local seconds = tonumber(first_line("/proc/uptime"):match("^[%d.]+"))
    return seconds and math.floor(seconds * 1000 + 0.5)
end

local boot = first_line("/proc/sys/kernel/random/boot_id"):gsub("-", "")
local pid = utils.getpid()
-- Boot, process and moment together are unique for ever, also where a dead battery starts every day in 1970.
local sid = string.format("%s-%d-%d", boot:sub(1, 12), pid, mono() or 0)
local path = utils.join_path(settings.dir, "play-" .. sid .. ".jsonl")
local item = 0
local loaded = false
local last_pos = nil
local since_tick = 0
local torn = false

-- mpv believes $PWD, which a launcher that only changed its folder leaves wrong.
local function true_folder()
    local link = { "readlink", "-n", "/proc/" .. pid .. "/cwd" }
    local told = mp.command_native({ name = "subprocess", playback_only = false, capture_stdout = true, args = link })
    return told and told.status == 0 and told.stdout or "/"
end

local function absolute_path()
    local name = mp.get_property("path")
    if not name or name:find("^%a[%w+.-]*://") then return name end
    local path = utils.join_path(mp.get_property("working-directory") or "/", name)
    return utils.file_info(path) and path or utils.join_path(true_folder(), name)
end

local function write(line)
    local file = io.open(path, "a")
    if not file then return end
    -- After a full disk the last line may be half: a line feed keeps it from spoiling this one.
    local ok = file:write(torn and "\n" or "", line, "\n")
    ok = file:close() and ok
    torn = not ok
end

local function emit(event, fields)
    local line = fields or {}
    line.ev, line.n, line.pid, line.boot = event, item, pid, boot
    line.wall, line.mono = os.time() * 1000, mono()
    line.pos, line.dur = mp.get_property_number("time-pos"), mp.get_property_number("duration")
    line.speed, line.vol = mp.get_property_number("speed"), mp.get_property_number("volume")
    line.paused, line.muted = mp.get_property_bool("pause"), mp.get_property_bool("mute")
    local text = line.mono and utils.format_json(line)
    if text then write(text) end
    since_tick = 0
end

local function quietly(action)
    return function(...) pcall(action, ...) end
end

mp.register_event("start-file", quietly(function()
    item, loaded, last_pos = item + 1, false, nil
    emit("open", { path = absolute_path(), title = mp.get_property("media-title") })
end))

mp.register_event("file-loaded", quietly(function()
    loaded = true
    local sound = mp.get_property_native("current-tracks/audio") ~= nil
    emit("start", { path = absolute_path(), title = mp.get_property("media-title"), audio = sound })
end))

mp.register_event("playback-restart", quietly(function()
    last_pos = mp.get_property_number("time-pos")
    emit("restart")
end))

mp.register_event("seek", quietly(function()
    emit("seek", { was = last_pos })
    last_pos = nil
end))

mp.register_event("end-file", quietly(function(event)
    emit("end", { was = last_pos, reason = event.reason, error = event.file_error })
    loaded = false
end))

mp.register_event("shutdown", quietly(function() emit("exit") end))

local function watch(property, kind, event_of)
    mp.observe_property(property, kind, quietly(function(_, value)
        if loaded then emit(event_of(value)) end
    end))
end

watch("pause", "bool", function(paused) return paused and "pause" or "play" end)
watch("speed", "number", function() return "speed" end)
watch("mute", "bool", function() return "sound" end)
watch("volume", "number", function() return "sound" end)

mp.add_periodic_timer(1, quietly(function()
    if not loaded then return end
    since_tick = since_tick + 1
    local running = mp.get_property_bool("core-idle") == false
    if running then last_pos = mp.get_property_number("time-pos") or last_pos end
    if since_tick >= (running and TICK or PAUSED_TICK) then emit("tick") end
end))
