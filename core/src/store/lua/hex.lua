-- First in every script that comes over REST, whose JSON holds text only: the rest sees the bytes that were meant.
local sent, ARGV = ARGV, {}
for i = 1, #sent do
  ARGV[i] = string.gsub(sent[i], '..', function(pair) return string.char(tonumber(pair, 16)) end)
end
