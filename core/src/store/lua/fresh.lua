-- The usual case: nothing is known of the entity. ARGV[2] is the record as the rules make it from nothing, ARGV[3] its life
-- in ms. Answers 'OK', or goes on with what is known.
local known = call('SET', key, ARGV[2], 'NX', 'PX', ARGV[3])
if known then return known end
local raw = call('GET', key)
