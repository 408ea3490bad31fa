-- The packed record of packed.rs: its head as locals, and how it is written back.
local HEAD = '<BI6I6I6I6I2I6I2I6I2I2I2'
local sub = string.sub
local now, format, stop, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most = 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
if raw and #raw >= 47 and string.byte(raw) == 1 then
  format, stop, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most = struct.unpack(HEAD, raw)
  -- Without an expiry PTTL is -1, and everything in the record is past.
  now = stop - redis.call('PTTL', KEYS[1])
end

local function write(tail)
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
end
