-- A fixed window. ARGV: maximum, window in ms, cost. Answers {allowed, used after, ms until it starts anew}.
-- Adding 0 makes a number of an argument; numbers that go to the server as they came need not become one and a text again.
local call, key, cost = redis.call, KEYS[1], ARGV[3]
local most, left = ARGV[1] + 0, call('PTTL', key)
if left < 0 then
  local window = ARGV[2] + 0
  if cost + 0 > most then return {0, 0, window} end
  call('SET', key, cost, 'PX', ARGV[2])
  return {1, cost + 0, window}
end
local used = call('GET', key)
if used + cost > most then return {0, used + 0, left} end
return {1, call('INCRBY', key, cost), left}
