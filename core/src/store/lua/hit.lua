-- A fixed window. ARGV: maximum, window in ms, cost. Answers {allowed, used after, ms until it starts anew}.
local most, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left, used = redis.call('PTTL', KEYS[1]), 0
if left >= 0 then used = tonumber(redis.call('GET', KEYS[1])) end
if used + cost > most then return {0, used, left >= 0 and left or window} end
if left >= 0 then
  redis.call('INCRBY', KEYS[1], cost)
else
  left = window
  redis.call('SET', KEYS[1], cost, 'PX', window)
end
return {1, used + cost, left}
