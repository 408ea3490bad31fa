-- Deletes what is ARGV[1], nothing else, unless its mark, KEYS[2], says that it has come back since: ARGV[2] times or more.
local seen = KEYS[2] and redis.call('GET', KEYS[2])
if seen and math.abs(tonumber(seen) or 0) >= tonumber(ARGV[2]) then return 0 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
