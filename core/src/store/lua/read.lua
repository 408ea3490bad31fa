-- Nothing is known of most wrong guesses' entities: no reason to look further.
local raw = call('GET', key)
if not raw then return {5, 0} end
