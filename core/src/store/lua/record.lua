-- The packed record of packed.rs: its head as locals; write.lua writes it back.
local HEAD = '<BI6I6I6I6I2I6I2I6I2I2I2'
local sub = string.sub
local now, format, stop, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most = 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
if raw and #raw >= 47 and string.byte(raw) == 1 then
  format, stop, expires, cooldown, ie, ic, ve, vc, fe, fc, tries, most = struct.unpack(HEAD, raw)
  -- Without an expiry PTTL is -1, and everything in the record is past.
  now = stop - call('PTTL', key)
end
