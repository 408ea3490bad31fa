-- Writes the record back with what the script before this one left in `tail`, and answers its `answer`. No function: one
-- that changes its script's locals costs the server a dozen allocations each time.
stop = expires
if cooldown > stop then stop = cooldown end
if ic > 0 and ie > stop then stop = ie end
if vc > 0 and ve > stop then stop = ve end
if fc > 0 and fe > stop then stop = fe end
if stop <= now then
  redis.call('DEL', KEYS[1])
else
  local head = struct.pack(HEAD, 1, stop, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most)
  redis.call('SET', KEYS[1], head .. tail, 'PX', stop - now)
end
return answer
