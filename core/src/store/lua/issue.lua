-- `Record::issue`. ARGV[1]: life, cooldown, attempts, issue limit, failure limit, keep. Answers the attempts left; or
-- {8, id, life left, attempts left, payload} when kept; or {why not, ms}.
local life, cool, max, iw, im, fw, fm, keep = struct.unpack('<I6I6I2I6I2I6I2B', ARGV[1])
local failed = now < fe and fc or 0
if fm > 0 and failed >= fm then return {2, fe - now} end
if im > 0 and now < ie and ic >= im then return {3, ie - now} end
if now < cooldown then return {4, cooldown - now} end
if im > 0 then
  if now >= ie then ie, ic = now + iw, 0 end
  ic = ic + 1
end
cooldown = now + cool
local kept = keep == 1 and tries < most and expires >= now + math.floor(life / 2)
if not kept then expires, tries, most = now + life, 0, max end
local tail = sub(kept and raw or ARGV[2], 48)
local answer = most - tries
if fm > 0 then answer = math.max(math.min(answer, fm - failed), 0) end
if kept then answer = {8, sub(raw, 84, 99), expires - now, answer, sub(raw, 100)} end
