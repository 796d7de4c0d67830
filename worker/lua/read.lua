-- One entry after the other, so that a read is larger than its bound by one message at most. KEYS: the stream. ARGV:
-- group, consumer, from which id, most entries, most bytes.
local entries, bytes = {}, 0
while #entries < tonumber(ARGV[4]) and bytes < tonumber(ARGV[5]) do
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], ARGV[3])
  local entry = read and read[1][2][1]
  if not entry then break end
  entry[2] = entry[2] or {}
  for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
  entries[#entries + 1] = entry
end
return entries
