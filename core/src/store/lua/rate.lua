-- Several limits of one entity at once, as in rate.rs. ARGV: cost, then for each limit its letter, window in ms and
-- maximum. Answers {allowed, then for each limit: remaining, ms until it is whole, ms until the cost would fit}.
local cost = tonumber(ARGV[1])
local now, old, found = 0, {}, redis.call('GET', KEYS[1])
if found then
  local left, ends = redis.call('PTTL', KEYS[1]), string.match(found, '^1 (%d+)')
  -- What lost its expiry or is not ours counts as nothing; the next write heals it.
  if left >= 0 and ends then
    now = math.max(ends - left, 0)
    for letter, window, a, b, c in string.gmatch(found, ' (%a)(%d+):(%d+):(%d+):(%d+)') do
      old[#old + 1] = { letter, tonumber(window), tonumber(a), tonumber(b), tonumber(c) }
    end
  end
end

local meters, allowed = {}, true
for i = 2, #ARGV, 3 do
  local letter, window, most = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local was = old[#meters + 1]
  local ends, count, before = 0, 0, 0
  if was and was[1] == letter and was[2] == window then ends, count, before = was[3], was[4], was[5] end
  local used
  local token = math.ceil(window * 1000 / math.max(most, 1))
  if letter == 'b' then
    ends = math.max(ends, now * 1000)
    used = math.ceil((ends - now * 1000) / token)
  else
    if now >= ends then
      if letter == 's' and ends > 0 and now < ends + window then
        ends, before = ends + window, count
      else
        ends, before = now + window, 0
      end
      count = 0
    end
    used = count
    if letter == 's' then used = count + math.ceil(before * (ends - now) / window) end
  end
  allowed = allowed and used + cost <= most
  meters[#meters + 1] = { letter, window, ends, count, before, most, used, token }
end

local answer, text, over = { allowed and 1 or 0 }, {}, 0
for _, m in ipairs(meters) do
  local letter, window, ends, count, before, most, used, token = unpack(m)
  local wait = 0
  if allowed then
    if letter == 'b' then ends = ends + cost * token else count = count + cost end
    used = used + cost
  elseif used + cost > most then
    if letter == 'f' then
      wait = ends
    elseif letter == 'b' then
      wait = math.ceil(math.max(ends + cost * token - most * token, 0) / 1000)
    elseif count + cost <= most then
      wait = ends - math.floor((most - cost - count) * window / math.max(before, 1))
    else
      wait = ends + window - math.floor(math.max(most - cost, 0) * window / math.max(count, 1))
    end
    wait = math.max(wait - now, 1)
  end
  local done = ends
  if letter == 'b' then done = math.ceil(ends / 1000) elseif letter == 's' and count > 0 then done = ends + window end
  over = math.max(over, done)
  answer[#answer + 1] = math.max(most - used, 0)
  answer[#answer + 1] = math.max(done - now, 0)
  answer[#answer + 1] = wait
  text[#text + 1] = string.format(' %s%.0f:%.0f:%.0f:%.0f', letter, window, ends, count, before)
end
if allowed and cost > 0 then
  local life = math.max(over - now, 1)
  redis.call('SET', KEYS[1], string.format('1 %.0f', now + life) .. table.concat(text), 'PX', string.format('%.0f', life))
end
return answer
