-- Writes all KEYS if they are still what they were. ARGV of each: old value, new, its life in ms. Empty is absent, and
-- deletes as a new one.
for i = 1, #KEYS do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[3 * i - 2] then return 0 end
end
for i = 1, #KEYS do
  local new = ARGV[3 * i - 1]
  if new == '' then
    redis.call('DEL', KEYS[i])
  else
    redis.call('SET', KEYS[i], new, 'PX', ARGV[3 * i])
  end
end
return 1
