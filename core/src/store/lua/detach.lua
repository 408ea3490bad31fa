-- Puts what KEYS[1] holds aside, at KEYS[2], unless something waits there already. ARGV[1] = 1: only what waits there.
-- Answers {value, life}.
local value = redis.call('GET', KEYS[2])
if value then return {value, redis.call('PTTL', KEYS[2])} end
if ARGV[1] == '1' then return false end
value = redis.call('GET', KEYS[1])
local left = value and redis.call('PTTL', KEYS[1]) or 0
if left <= 0 then return false end
redis.call('SET', KEYS[2], value, 'PX', left)
redis.call('DEL', KEYS[1])
return {value, left}
