-- Adds ARGV[1] to a counter that lives ARGV[2] ms from its creation. A lost expiry starts a new one.
local left = redis.call('PTTL', KEYS[1])
if left >= 0 then return {redis.call('INCRBY', KEYS[1], ARGV[1]), left} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {tonumber(ARGV[1]), tonumber(ARGV[2])}
