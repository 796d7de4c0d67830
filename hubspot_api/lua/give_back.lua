-- Nothing was sent: the slot is free at once. ARGV: slot.
redis.call('ZREM', KEYS[5], ARGV[2])
if redis.call('ZREM', KEYS[2], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], 'day_used', -1) end
