// The script that appends entries without options: most calls of most applications.

/** How many of the keys it takes: `head`, `entries`, `channels`, `last`. */
export const plainKeys = 4;

/**
 * Each call is one entry. Takes the number that the first call has in its queue, `q:` with the id of the queue, and, separated by spaces
 * in the same argument,
 *
 * - for one call: the weight and the witness of its entry, and its channel. The second argument is a block of the entry, in JSON.
 * - for several calls: the number of the last one, the number of blocks, and an empty text. Then for each block the number of its
 *   entries, their weight, the witness of the last one, and the entries in JSON; and for each channel its name and which of the
 *   entries is its last one, counted from 1.
 *
 * Returns the number, the epoch and the offset of the first entry. If the log does not exist, or the calls are a repeated attempt, it
 * changes nothing and returns only the number: the process then runs the script that handles all kinds of calls.
 *
 * It has no prelude, whose functions alone take Redis several microseconds to make, and its work is that of blocks and channels, not
 * of entries: a command that a script calls takes one or two microseconds, which is more than all else that an entry costs.
 * Numbers are text wherever they were text before: Redis formats each number that a script passes to a command as a fraction. Short
 * arguments are one, since each takes the process as long as a line of the script takes Redis.
 *
 * It checks only the keys that it writes. When another one is gone, retention takes the epoch away, and the next call is
 * for the script for all calls. `XADD` is the first write, with which Redis checks its memory, its disk and its role.
 */
export const plainScript: string = `
local HEAD, ENTRIES, CHANNELS, LAST = unpack(KEYS)
local number, field, own, newest, channel = string.match(ARGV[1], '^(%S+) (%S+) (%S+) (%S+) (.*)$')
local call, answer = redis.call, number .. ' '
local h = call('HMGET', HEAD, 'epoch', 'top', 'witness', 'weight', 'time', field)
if not h[1] or call('EXISTS', ENTRIES, CHANNELS, LAST) < 3 then return answer end
if h[6] and string.match(h[6], '^%d+') - number >= 0 then return answer end

-- Milliseconds as text. Ages are differences of these: a clock that was set back must not make newer entries older. Both have 13
-- digits, and are compared as text.
local clock = call('TIME')
local time = string.format('%s%03d', clock[1], clock[2] / 1000)
if time < h[5] then time = h[5] end

if #ARGV == 2 then
  local top = string.format('%d', h[2] + 1)
  call('XADD', ENTRIES, top .. '-' .. newest, 'h', h[3] .. ' ' .. time .. ' 1 0 ' .. own, 'e', ARGV[2])
  call('HSET', HEAD, 'top', top, 'witness', newest, 'weight', string.format('%d', h[4] + own), 'time', time,
    field, number .. ' ' .. number .. ' ' .. h[2] .. ' ' .. time)
  if call('ZADD', LAST, top, channel) == 1 then call('ZADD', CHANNELS, '0', channel) end
  return answer .. h[1] .. ' ' .. top
end

local last, blocks = own, newest
local before, witness, weight = tonumber(h[2]), h[3], h[4]
local offset, top, at = before, nil, 2 + 4 * blocks
for i = 2, at - 1, 4 do
  local count, own, newest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  offset, weight = offset + count, weight + own
  top = string.format('%d', offset)
  call('XADD', ENTRIES, top .. '-' .. newest, 'h', witness .. ' ' .. time .. ' ' .. count .. ' 0 ' .. own, 'e', ARGV[i + 3])
  witness = newest
end
call('HSET', HEAD, 'top', top, 'witness', witness, 'weight', string.format('%d', weight), 'time', time,
  field, last .. ' ' .. number .. ' ' .. h[2] .. ' ' .. time)

-- Once for each channel, however many entries it has in this batch.
local scores = {}
for i = at, #ARGV, 2 do
  scores[#scores + 1] = string.format('%d', before + ARGV[i + 1])
  scores[#scores + 1] = ARGV[i]
end
if call('ZADD', LAST, unpack(scores)) > 0 then
  for i = 1, #scores, 2 do scores[i] = '0' end
  call('ZADD', CHANNELS, unpack(scores))
end
return answer .. h[1] .. ' ' .. string.format('%d', before + 1)
`;
