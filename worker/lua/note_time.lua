-- Notes a time at which an account is to be woken, unless an earlier one is noted. If it is now the first of all, an entry
-- is pushed, so that a process that sleeps until a later time looks again. KEYS: the accounts by time, the list of entries.
-- ARGV: account, milliseconds from now.
local now = redis.call('TIME')
local moment = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[2])
local changed = redis.call('ZADD', KEYS[1], 'LT', 'CH', string.format('%.0f', moment), ARGV[1])
if changed == 1 and redis.call('ZRANGE', KEYS[1], 0, 0)[1] == ARGV[1] then
  redis.call('LPUSH', KEYS[2], 1)
  redis.call('LTRIM', KEYS[2], 0, 7)
end
