// The script that appends any calls: those of one tick, each stored as a whole or not at all. `plain.ts` has most of them.
import { blockBytes, blockEntries } from "../blocks.ts";
import { prelude } from "./prelude.ts";

/**
 * Takes an epoch and an origin witness for the case that it has to begin an epoch, the window of idempotency keys in
 * milliseconds, the id of the queue, and the number of calls. Then for each call, its number in the queue and the number of its
 * entries; and for each entry `witness * 16 + flags`, channel, weight, the entry in JSON, and what the flags announce: 1 key, 2
 * idempotency key, 4 `after` as `epoch offset witness`. The flag 8 marks the end of a channel.
 *
 * Returns the epoch and an answer for each call: the offset of its first entry when all of them are new; a list when some
 * are not, with `d<offset>-<witness>` for those; `c` or `c<last offset of the channel>` when `after` does not hold; `s` when
 * a later call of the queue has come before it.
 *
 * Nothing after the first write can fail: Redis does not undo what a script has written. Memory, permissions and types are
 * checked with the first write, and by the script that starts a log.
 */
export const appendScript: string = `${prelude}
-- These change nothing. Redis checks its memory, its disk and its role before the first write of a script, and not later. The rights
-- of its user it checks with each command, and they may have been taken away since the log was started.
call('HSET', HEAD, 'version', 1)
call('ZADD', LAST, 'XX', 0, SENTINEL)
call('HDEL', KEPT, SENTINEL .. 'absent')
local added = redis.pcall('XADD', ENTRIES, 'NOMKSTREAM', '0-1', 'h', '')
if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller', 1, true) then error(added) end
local s = load() or open(ARGV[1], ARGV[2])
local window, queue, calls = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
-- Text, so that it is not formatted for each entry.
local time = string.format('%.0f', s.time)
local top, witness, weight = s.top, s.witness, s.weight
-- The newest entry of each channel of this batch, and the next argument.
local lasts, at = {}, 6
-- Entries in JSON that are to be stored together, how many of them have a key, their bytes, and the state before them.
local items, keyed, bytes, previous, lighter = {}, 0, 0, witness, weight
local function flush()
  if #items == 0 then return end
  call('XADD', ENTRIES, string.format('%.0f-%.0f', top, witness), 'h', string.format('%.0f %s %d %d %.0f', previous, time,
    #items, keyed, weight - lighter), 'e', '[' .. table.concat(items, ',') .. ']')
  items, keyed, bytes, previous, lighter = {}, 0, 0, witness, weight
end

-- The last calls of this queue, which has one batch at a time under way: the number of the last one; when each call was one new
-- entry, that of the first one and the offset before its entry, or else 0 and -1.
local field = 'q:' .. queue
local newest, oldest, before = string.match(call('HGET', HEAD, field) or '0 0 -1', '^(%d+) (%d+) (%S+)')
newest, oldest, before = tonumber(newest), tonumber(oldest), tonumber(before)

-- The answer that a call got before.
local known
local function remembered(number)
  if before >= 0 then return number >= oldest and before + 1 + number - oldest or 's' end
  known = known or cmsgpack.unpack(call('HGET', CALLS, queue))
  return known[tostring(number)] or 's'
end

-- The next entry of the arguments.
local function parse()
  local code = tonumber(ARGV[at])
  local flags = code % 16
  local entry = {witness = (code - flags) / 16, channel = ARGV[at + 1], weight = tonumber(ARGV[at + 2]), item = ARGV[at + 3]}
  at = at + 4
  local function optional(bit)
    if flags % (bit * 2) < bit then return nil end
    at = at + 1
    return ARGV[at - 1]
  end
  entry.key, entry.id, entry.after = optional(1), optional(2), optional(4)
  entry.isEnd = flags >= 8
  return entry
end

-- Where an entry with the same idempotency key was placed.
-- A key whose window is over may still be there: retention removes it later.
local function answerTo(entry)
  if not entry.id then return nil end
  local found = call('HGET', IDS, memberOf(entry.channel, entry.id))
  if not found then return nil end
  local time, position = string.match(found, '^(%d+) (.*)$')
  return tonumber(time) + window > s.time and position or nil
end

-- Why an entry is not accepted, nil when it is.
local function conflictOf(entry)
  if not entry.after or answerTo(entry) then return nil end
  local epoch, offset, expected = string.match(entry.after, '^(%S+) (%d+) (%d+)$')
  offset = tonumber(offset)
  s.top, s.witness = top, witness
  if epoch ~= s.epoch or offset > top or witnessAt(s, offset) ~= tonumber(expected) then return 'c' end
  local last = lasts[entry.channel] or lastOf(s, entry.channel)
  return last > offset and 'c' .. last or nil
end

-- Gives an entry the next offset.
local function place(entry)
  local channel = entry.channel
  if #items == ${blockEntries} or bytes + #entry.item > ${blockBytes} then flush() end
  items[#items + 1] = entry.item
  if entry.key then keyed = keyed + 1 end
  bytes = bytes + #entry.item
  top, witness, weight = top + 1, entry.witness, weight + entry.weight
  lasts[channel] = top
  -- What was kept of a key is superseded now. In the stream, superseded entries stay.
  if entry.key then
    local member = memberOf(channel, entry.key)
    local older = call('HGET', NEWEST, member)
    if not older then call('ZADD', KEYNAMES, 0, member)
    elseif tonumber(older) <= s.floor then
      call('HDEL', KEPT, member)
      call('ZADD', GONE, 'GT', older, channel)
    end
    call('HSET', NEWEST, member, top)
  end
  if entry.isEnd then call('ZADD', ENDED, top, channel) end
  if entry.id then
    local member = memberOf(channel, entry.id)
    call('HSET', IDS, member, time .. ' ' .. top .. '-' .. witness)
    call('ZADD', IDTIMES, s.time, member)
  end
end

-- The whole call is checked before its first entry is placed: \`after\` means the channel as it was before the call.
local function store(entries)
  for _, entry in ipairs(entries) do
    local conflict = conflictOf(entry)
    if conflict then return conflict end
  end
  local placed, isPlain = {}, true
  for i, entry in ipairs(entries) do
    local answer = answerTo(entry)
    -- An entry of this very call may have the same key.
    if answer then
      placed[i] = 'd' .. answer
      isPlain = false
    else
      place(entry)
      placed[i] = top
    end
  end
  return isPlain and placed[1] or placed
end

local answers, numbers, last = {}, {}, nil
for i = 1, calls do
  local number, count, entries = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), {}
  at = at + 2
  for j = 1, count do entries[j] = parse() end
  -- A batch that is sent again is a part of the last one, as far as its callers still wait. A call that is not among the last ones
  -- was given up long ago.
  if number <= newest then answers[i] = remembered(number)
  else
    answers[i] = store(entries)
    numbers[tostring(number)] = answers[i]
    last = number
  end
end

flush()

-- Nothing new is to be remembered when all were known.
if last then
  call('HSET', CALLS, queue, cmsgpack.pack(numbers))
  call('HSET', HEAD, field, string.format('%.0f 0 -1 %s', last, time))
end
-- Written also when nothing was stored: a caller that waits for replicas waits for the last write of its connection.
call('HSET', HEAD, 'top', top, 'witness', witness, 'weight', weight, 'time', s.time)
-- Once for each channel, however many entries it has in this batch.
for channel, offset in pairs(lasts) do
  if call('ZADD', LAST, offset, channel) == 1 then call('ZADD', CHANNELS, 0, channel) end
end
return {s.epoch, answers}
`;
