-- Writes the record back with what the script before this one left in `tail`, and answers its `answer`. No function: one
-- that changes its script's locals costs the server a dozen allocations each time.
local over = expires
if cooldown > over then over = cooldown end
if ic > 0 and ie > over then over = ie end
if vc > 0 and ve > over then over = ve end
if fc > 0 and fe > over then over = fe end
if over <= now then
  call('DEL', key)
else
  local value = struct.pack(HEAD, 1, over, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most) .. tail
  -- Its end mostly stays as it was, and need not be written as a number and kept anew.
  if over == stop then
    call('SET', key, value, 'KEEPTTL')
  else
    call('SET', key, value, 'PX', over - now)
  end
end
return answer
