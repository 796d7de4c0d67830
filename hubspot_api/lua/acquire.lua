-- A slot for one call, or the milliseconds to wait for one. ARGV: slot, use, patience (ms), burst, window (ms),
-- deadline (ms), day, its end (ms), calls a day, reserve, share of read-backs, most calls whatever the headers say.
local slots, line, present, reads = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, use, patience = ARGV[2], ARGV[3], tonumber(ARGV[4])
local limit = math.min(learned('max', ARGV[5]), tonumber(ARGV[13]))
local window, deadline = learned('window', ARGV[6]), tonumber(ARGV[7])
local day, day_ends, daily, reserve = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if redis.call('HEXISTS', KEYS[1], 'begun') == 0 then return {'forgotten', 0} end
if now >= day_ends then return {'yesterday', now} end
local function leave(who) redis.call('ZREM', line, who); redis.call('ZREM', present, who) end
local function wait(ms)
  ms = math.max(1, math.ceil(ms))
  if patience >= ms then
    if not redis.call('ZSCORE', line, id) then
      redis.call('ZADD', line, redis.call('HINCRBY', KEYS[1], 'arrivals', 1), id)
    end
    redis.call('ZADD', present, whole(now + ms + 1000), id)
  else leave(id) end
  return {'wait', ms}
end
if redis.call('HGET', KEYS[1], 'day') ~= day then
  redis.call('HSET', KEYS[1], 'day', day, 'day_used', 0); redis.call('HDEL', KEYS[1], 'day_limit')
end
local quota = redis.call('HEXISTS', KEYS[1], 'day_limit') == 1 and known('day_limit') or daily
if known('day_used') >= quota then leave(id); return {'spent', day_ends - now} end
local later = known('day_used') < quota * (1 - reserve)
if use ~= 'live' and not later then leave(id); return {'spent', day_ends - now} end
if known('blocked') > now then return wait(known('blocked') - now) end
redis.call('ZREMRANGEBYSCORE', slots, '-inf', '(' .. whole(now - deadline))
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', present, '-inf', whole(now))) do leave(gone) end
if use == 'read-back' then
  redis.call('ZREMRANGEBYSCORE', reads, '-inf', '(' .. whole(now))
  if redis.call('ZCARD', reads) >= math.max(1, math.floor(limit / tonumber(ARGV[12]))) then
    return wait(math.min(window, tonumber(redis.call('ZRANGE', reads, 0, 0, 'WITHSCORES')[2]) - now))
  end
end
local held = redis.call('ZCOUNT', slots, whole(now), '+inf')
local room = math.max(1, limit - learned('others', 0)) - held
local ahead = redis.call('ZRANK', line, id) or redis.call('ZCARD', line)
if room > ahead then
  leave(id)
  redis.call('ZADD', slots, whole(now + deadline + window), id)
  if use == 'read-back' then redis.call('ZADD', reads, whole(now + deadline + window), id) end
  redis.call('HINCRBY', KEYS[1], 'day_used', 1)
  return {'granted', later and 1 or 0}
end
local nth = ahead - math.min(room, ahead)
local ends = redis.call('ZRANGE', slots, whole(now), '+inf', 'BYSCORE', 'LIMIT', nth, 1, 'WITHSCORES')
return wait(math.min(window, (tonumber(ends[2]) or now + window) - now))
