-- Whether we may do here what the other scripts do; leaves nothing behind. Answers the server's time, where we may ask.
redis.call('SET', KEYS[1], 1, 'PX', 1000)
redis.call('INCRBY', KEYS[1], 1)
redis.call('INCR', KEYS[1])
redis.call('PTTL', KEYS[1])
redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
local time = redis.pcall('TIME')
if time.err then return {} end
return time
