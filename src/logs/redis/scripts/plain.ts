// The script that appends entries without options: most calls of most applications.

/** How many of the keys it takes: `head`, `entries`, `channels`, `last`. */
export const plainKeys = 4;

/**
 * Takes the id of the queue, the numbers that the first and the last call have in it, and the number of blocks. Then for each block
 * the number of its entries, their weight, the witness of the last one, and the entries in JSON; and for each channel its name
 * and which of the entries is its last one, counted from 1. Each call is one entry. Returns the epoch and the offset of the
 * first entry. If the log does not exist, or the calls are a repeated attempt, the script changes nothing and returns nothing: the
 * process then runs the script that handles all kinds of calls.
 *
 * It has no prelude, whose functions alone take Redis several microseconds to make, and its work is that of blocks and channels, not
 * of entries: a command that a script calls takes two microseconds, which is more than all else that an entry costs. Numbers are
 * text wherever they were text before: Redis formats each number that a script passes to a command as a fraction.
 *
 * It checks only the keys that it writes. When another one is gone, retention takes the epoch away, and the next call is
 * for the script for all calls. `XADD` is the first write, with which Redis checks its memory, its disk and its role.
 */
export const plainScript: string = `
local HEAD, ENTRIES, CHANNELS, LAST = unpack(KEYS)
local call, field, first, args = redis.call, 'q:' .. ARGV[1], tonumber(ARGV[2]), #ARGV
local h = call('HMGET', HEAD, 'epoch', 'top', 'witness', 'weight', 'time', field)
if not h[1] or call('EXISTS', ENTRIES, CHANNELS, LAST) < 3 then return false end
if h[6] and tonumber(string.match(h[6], '^%d+')) >= first then return false end

local before, witness, weight, clock = tonumber(h[2]), h[3], h[4], call('TIME')
-- Milliseconds as text. Ages are differences of these: a clock that was set back must not make newer entries older. Both have 13
-- digits, and are compared as text.
local time = string.format('%s%03d', clock[1], clock[2] / 1000)
if time < h[5] then time = h[5] end
local offset, top, at = before, nil, 5 + 4 * ARGV[4]
for i = 5, at - 1, 4 do
  local count, own, newest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  offset, weight = offset + count, weight + own
  top = string.format('%d', offset)
  call('XADD', ENTRIES, top .. '-' .. newest, 'h', witness .. ' ' .. time .. ' ' .. count .. ' 0 ' .. own, 'e', ARGV[i + 3])
  witness = newest
end
call('HSET', HEAD, 'top', top, 'witness', witness, 'weight', string.format('%d', weight), 'time', time,
  field, ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. h[2] .. ' ' .. time)

if args == at + 1 then
  if call('ZADD', LAST, top, ARGV[at]) == 1 then call('ZADD', CHANNELS, '0', ARGV[at]) end
  return {h[1], before + 1}
end
-- Once for each channel, however many entries it has in this batch.
local scores = {}
for i = at, args, 2 do
  scores[#scores + 1] = string.format('%d', before + ARGV[i + 1])
  scores[#scores + 1] = ARGV[i]
end
if call('ZADD', LAST, unpack(scores)) > 0 then
  for i = 1, #scores, 2 do scores[i] = '0' end
  call('ZADD', CHANNELS, unpack(scores))
end
return {h[1], before + 1}
`;
