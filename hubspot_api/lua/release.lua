-- A call has ended: its slot counts for one window more; what the headers told is remembered. ARGV: slot, how long the
-- call took (ms), window (ms), then of the headers: max, remaining, interval, daily, daily remaining; how long that is
-- believed (ms), the day of the grant, from when the day is sure.
local slots, reads, id, took = KEYS[2], KEYS[5], ARGV[2], tonumber(ARGV[3])
local max, remaining, interval = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local daily, daily_remaining, day, day_is_sure = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[11], tonumber(ARGV[12])
if max and max > 0 then redis.call('HSET', KEYS[1], 'max', max, 'max_until', whole(now + tonumber(ARGV[10]))) end
if interval and interval > 0 then
  redis.call('HSET', KEYS[1], 'window', interval, 'window_until', whole(now + tonumber(ARGV[10])))
end
local window = learned('window', ARGV[4])
local remembered = redis.call('ZSCORE', slots, id)
-- Also a call that Redis forgot when it lost everything counts at HubSpot until one window from now.
redis.call('ZADD', slots, whole(now + window), id)
redis.call('ZADD', reads, 'XX', whole(now + window), id)
-- Where it is forgotten so are those beside it: they are ours, and nobody else's.
if remembered and max and remaining then
  -- Whatever of ours HubSpot can have counted still had its slot when this call arrived; the rest is somebody else's.
  -- That is a lower bound (ours under way may not have arrived), so a higher one of lately fades and is not dropped.
  local others = math.max(0, max - remaining - redis.call('ZCOUNT', slots, whole(now - took), '+inf'))
  others = math.max(others, math.floor(learned('others', 0) * 0.95))
  redis.call('HSET', KEYS[1], 'others', others, 'others_until', whole(now + tonumber(ARGV[10])))
end
-- An answer that comes after midnight to a call of before tells of the day that is over.
if daily and daily_remaining and now >= day_is_sure and redis.call('HGET', KEYS[1], 'day') == day then
  redis.call('HSET', KEYS[1], 'day_limit', daily, 'day_used', math.max(known('day_used'), daily - daily_remaining))
end
