-- Looked up once, for the scripts after this one as well.
local call, key = redis.call, KEYS[1]

-- Optional first step: KEYS[2] is a counter per IP address, ARGV[4] its maximum, ARGV[5] its window in ms.
-- A counter without expiry counts as absent, so that it cannot refuse for ever.
if KEYS[2] then
  local gate = KEYS[2]
  local left = call('PTTL', gate)
  if left < 0 then
    call('SET', gate, 1, 'PX', ARGV[5])
  else
    if tonumber(call('GET', gate)) >= tonumber(ARGV[4]) then return {1, left} end
    call('INCR', gate)
  end
end
