-- KEYS[1] one hash per phone; ARGV digest, attempts allowed
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'digest', 'attempts', 'expires')

if not held[1] or tonumber(held[3]) <= now then
  return {'missing', 0}
end
local left = ARGV[2] - held[2]
if left <= 0 then
  return {'exhausted', 0}
end
if held[1] ~= ARGV[1] then
  redis.call('HINCRBY', KEYS[1], 'attempts', 1)
  return {'wrong', left - 1}
end
-- 'sent' and the window stay, so that a success does not reset the send limits.
redis.call('HDEL', KEYS[1], 'digest', 'attempts', 'expires')
return {'ok', left}
