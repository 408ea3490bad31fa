-- Optional first step: KEYS[2] is a counter per IP address, ARGV[4] its maximum, ARGV[5] its window in ms.
-- A counter without expiry counts as absent, so that it cannot refuse for ever.
if KEYS[2] then
  local most, window = tonumber(ARGV[4]), tonumber(ARGV[5])
  local left = redis.call('PTTL', KEYS[2])
  if left < 0 then
    redis.call('SET', KEYS[2], 1, 'PX', window)
  else
    if tonumber(redis.call('GET', KEYS[2])) >= most then return {1, left} end
    redis.call('INCR', KEYS[2])
  end
end
