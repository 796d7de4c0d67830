-- Nobody of the account sends for a while. ARGV: for how long (ms).
redis.call('HSET', KEYS[1], 'begun', 1, 'blocked', whole(math.max(now + tonumber(ARGV[2]), known('blocked'))))
