-- Redis has forgotten everything: nobody sends while calls of before may still count. ARGV: for how long (ms).
if redis.call('HSETNX', KEYS[1], 'begun', 1) == 1 then
  redis.call('HSET', KEYS[1], 'blocked', whole(now + tonumber(ARGV[2])))
end
