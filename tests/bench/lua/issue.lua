-- KEYS[1] one hash per phone; ARGV digest, life, cooldown, window (ms), issues per window
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local old = redis.call('HMGET', KEYS[1], 'sent', 'window', 'issues')

if old[1] and now - old[1] < tonumber(ARGV[3]) then
  return {'cooldown', ARGV[3] - (now - old[1])}
end

local window, issues = tonumber(old[2] or 0), tonumber(old[3] or 0)
if window <= now then
  window, issues = now + ARGV[4], 0
end
if issues >= tonumber(ARGV[5]) then
  return {'limited', window - now}
end

redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'attempts', 0, 'expires', now + ARGV[2],
  'sent', now, 'window', window, 'issues', issues + 1)
redis.call('PEXPIRE', KEYS[1], math.max(ARGV[2], window - now))
return {'ok', issues + 1}
