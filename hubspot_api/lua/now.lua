-- Before every script: the time, and what is known of the account. KEYS: known, slots, line, present, reads.
-- ARGV[1] is the time in milliseconds, 0 for that of Redis.
local now = tonumber(ARGV[1])
if now == 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local function known(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
local function whole(number) return string.format('%.0f', number) end
local function learned(name, otherwise) return known(name .. '_until') > now and known(name) or tonumber(otherwise) end
