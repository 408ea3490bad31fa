-- Nothing is known of most wrong guesses' entities: no reason to look further.
local raw = redis.call('GET', KEYS[1])
if not raw then return {5, 0} end
