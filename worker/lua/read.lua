-- What was read before and never acknowledged comes first, one entry; only where there is none, what nobody read: so no
-- entry is given out while an earlier one is not accepted, whoever else reads. One entry after the other, so that a
-- read is larger than its bound by one message at most. KEYS: the stream. ARGV: group, consumer, most entries, bytes.
local function read(after, most)
  local entries, bytes = {}, 0
  while #entries < most and bytes < tonumber(ARGV[4]) do
    local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], after)
    local entry = found and found[1][2][1]
    if not entry then break end
    entry[2] = entry[2] or {}
    for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
    entries[#entries + 1] = entry
  end
  return entries
end
local pending = read('0', 1)
if #pending > 0 then return {1, pending} end
return {0, read('>', tonumber(ARGV[3]))}
