-- `Record::attempt`. ARGV[1]: verify limit, failure limit, whether an id follows; the id; then per key of the ring a key
-- id and digest. Answers the payload when right; the attempts left when wrong; or {why not, ms}.
local input = ARGV[1]
local vw, vm, fw, fm, named, at = struct.unpack('<I6I2I6I2B', input)
if fm > 0 and now < fe and fc >= fm then return {2, fe - now} end
if now >= expires then return {5, 0} end
if named == 1 then
  if sub(input, at, at + 15) ~= sub(raw, 84, 99) then return {5, 0} end
  at = at + 16
end
local stored, right = sub(raw, 48, 83), nil
for i = at, #input, 36 do
  local candidate = sub(input, i, i + 35)
  if candidate == stored then right = true break end
  if sub(candidate, 1, 4) == sub(stored, 1, 4) then right = false break end
end
if right == nil then return {5, 0} end
if tries >= most then return {6, math.max(cooldown - now, 0)} end
if vm > 0 then
  if now < ve and vc >= vm then return {3, ve - now} end
  if now >= ve then ve, vc = now + vw, 0 end
  vc = vc + 1
end
local tail, answer
if right then
  expires, cooldown, fe, fc, tries, most = 0, 0, 0, 0, 0, 0
  tail, answer = '', sub(raw, 100)
else
  if fm > 0 then
    if now >= fe then fe, fc = now + fw, 0 end
    fc = fc + 1
  end
  tries = tries + 1
  tail, answer = sub(raw, 48), most - tries
  if fm > 0 then answer = math.max(math.min(answer, fm - fc), 0) end
end
