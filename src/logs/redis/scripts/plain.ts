// The script that appends entries without options: most calls of most applications.

/** How many of the keys it takes: `head`, `entries`, `channels`, `last`, `ended`. */
export const plainKeys = 5;

/**
 * Takes the id of the queue, the number that the first call has in it, and then witness, channel, type and data of each call: one
 * entry each, at most as many as the queue puts in a batch. Returns the epoch and the offset of the first entry. If
 * there is no log, or the calls are sent again, it changes nothing and returns nothing, and the script for all calls decides.
 *
 * It has no prelude, whose functions alone take Redis several microseconds to make, and reads and writes the state once for a batch. An
 * event alone takes 11 microseconds of Redis in place of 19; `XADD` and `HSET` from a script, without anything else, take 5.
 *
 * It checks only the keys that it writes. When another one is gone, retention takes the epoch away, and the next call is
 * for the script for all calls. `XADD` is the first write, with which Redis checks its memory, its disk and its role.
 */
export const plainScript: string = `
local HEAD, ENTRIES, CHANNELS, LAST, ENDED = unpack(KEYS)
local call, field, first, args = redis.call, 'q:' .. ARGV[1], tonumber(ARGV[2]), #ARGV
local h = call('HMGET', HEAD, 'epoch', 'top', 'witness', 'weight', 'time', field)
if not h[1] or call('EXISTS', ENTRIES, CHANNELS, LAST, ENDED) < 4 then return false end
if h[6] and tonumber(string.match(h[6], '^%d+')) >= first then return false end

local top, witness, weight, clock = tonumber(h[2]), h[3], tonumber(h[4]), call('TIME')
-- Milliseconds as text, so that they are not formatted for each entry. Ages are differences of these: a clock that was set back
-- must not make newer entries older. Both have 13 digits, and are compared as text.
local time = string.format('%s%03d', clock[1], clock[2] / 1000)
if time < h[5] then time = h[5] end
local offset, lasts = top + 1, {}
for i = 3, args, 4 do
  local channel, kind, data = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  top = top + 1
  call('XADD', ENTRIES, top .. '-' .. ARGV[i], 'c', channel, 't', kind, 'k', '', 's', '', 'p', witness, 'a', time, 'd', data)
  witness = ARGV[i]
  weight = weight + #channel + #kind + #data + 32
  lasts[channel] = top
  if kind == 'sse:end' then call('ZADD', ENDED, top, channel) end
end
call('HSET', HEAD, 'top', top, 'witness', witness, 'weight', weight, 'time', time,
  field, first + top - offset .. ' ' .. first .. ' ' .. offset .. ' ' .. time)

if args == 6 then
  if call('ZADD', LAST, top, ARGV[4]) == 1 then call('ZADD', CHANNELS, 0, ARGV[4]) end
  return {h[1], offset}
end
-- Once for each channel, however many entries it has in this batch.
local scores = {}
for channel, last in pairs(lasts) do
  scores[#scores + 1] = last
  scores[#scores + 1] = channel
end
if call('ZADD', LAST, unpack(scores)) > 0 then
  for i = 1, #scores, 2 do scores[i] = 0 end
  call('ZADD', CHANNELS, unpack(scores))
end
return {h[1], offset}
`;
