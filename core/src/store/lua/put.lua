-- Writes ARGV[1] for ARGV[2] ms; with ARGV[3], only if there is nothing yet.
if ARGV[3] then return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') end
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
