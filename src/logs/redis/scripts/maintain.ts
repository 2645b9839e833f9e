// The scripts that start and maintain a log.
import { clearedChannel } from "../../../log/cleared.ts";
import { prelude } from "./prelude.ts";

/**
 * Takes the id of this process's log, its options as text, the time in milliseconds after which a process counts as gone, and
 * an epoch and an origin witness. Returns `ok`; `type`, a key and its type, when a key holds something else; `version` and the
 * version of the data; `options` and the options with which another process uses the log; `refused`, a command and its error.
 *
 * Writes only when all is well. Before that it runs each command that a log needs in a form that changes nothing: an error
 * within a later script would leave half of its work.
 */
export const startScript: string = `${prelude}
local types = {'hash', 'stream', 'zset', 'zset', 'zset', 'zset', 'zset', 'hash', 'hash', 'hash', 'zset', 'hash', 'hash',
  'zset', 'stream'}
for i, key in ipairs(KEYS) do
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= types[i] then return {'type', key, found} end
end
-- A hash of this name without a version is not a log.
local version = call('HGET', HEAD, 'version')
if not version and call('EXISTS', HEAD) == 1 then return {'type', HEAD, 'hash of another program'} end
if version and version ~= '1' then return {'version', version} end

-- No member has this name.
local absent = SENTINEL .. 'absent'
requirePrimary()
for _, command in ipairs({
  {'TIME'}, {'EXISTS', HEAD}, {'HDEL', KEPT, absent}, {'HGET', KEPT, absent}, {'HLEN', HEAD},
  {'HMGET', HEAD, 'top'}, {'UNLINK', HEAD .. absent}, {'XRANGE', ENTRIES, '0-1', '0-1'}, {'XREVRANGE', ENTRIES, '0-1', '0-1'},
  {'XTRIM', ENTRIES, 'MINID', '=', '0-1'}, {'ZADD', LAST, 'XX', 0, absent}, {'ZCOUNT', LAST, 1, 0},
  {'ZMSCORE', TRIMMED, absent}, {'ZRANGE', LAST, 0, 0}, {'ZRANGEBYLEX', CHANNELS, '[a', '[a'}, {'ZRANGEBYSCORE', IDTIMES, 1, 0},
  {'ZREM', LAST, absent}, {'ZSCORE', LAST, absent},
}) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then return {'refused', command[1], reply.err} end
end
-- On a stream with entries, the id is too low, and the error is not that of a missing permission.
local added = redis.pcall('XADD', ENTRIES, 'NOMKSTREAM', '0-1', 'c', '')
if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller', 1, true) then
  return {'refused', 'XADD', added.err}
end

-- Other processes, with the time at which each was seen, and its options.
local time, stale = now(), {}
local fields = call('HGETALL', HEAD)
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'm:' and fields[i] ~= 'm:' .. ARGV[1] then
    local seen, options = string.match(fields[i + 1], '^(%d+) (.*)$')
    if tonumber(seen) + tonumber(ARGV[3]) < time then stale[#stale + 1] = fields[i]
    elseif options ~= ARGV[2] then return {'options', options} end
  end
end

-- Completes the script for plain entries, to which a command was refused: blocks that are not in the head, or not in \`last\`.
local s = open(ARGV[4], ARGV[5])
local indexed = tonumber(call('ZRANGE', LAST, -1, -1, 'WITHSCORES')[2])
for _, block in ipairs(call('XRANGE', ENTRIES, (math.max(math.min(indexed, s.top), s.floor) + 1) .. '-0', '+')) do
  for _, entry in ipairs(entriesOf(block)) do
    call('ZADD', LAST, entry.offset, entry.item[2])
    call('ZADD', CHANNELS, 0, entry.item[2])
  end
  local header, offset, witness = headerOf(block), idOf(block)
  if offset > s.top then
    s.weight = s.weight + header.weight
    call('HSET', HEAD, 'top', offset, 'witness', witness, 'weight', s.weight, 'time', header.time)
  end
end
for _, field in ipairs(stale) do call('HDEL', HEAD, field) end
call('HSET', HEAD, 'm:' .. ARGV[1], time .. ' ' .. ARGV[2])
return {'ok'}
`;

/** Takes the id of this process's log, which does not use it any longer. */
export const leaveScript: string = `${prelude}
return call('HDEL', HEAD, 'm:' .. ARGV[1])
`;

/**
 * One slice of retention. Takes the id of this process's log and its options as text; the most entries, bytes and milliseconds,
 * -1 for no limit of age; the window of idempotency keys, the time for which witnesses are kept, and their greatest number;
 * how many entries it may remove; and the age in milliseconds before which it removes none for their number or size.
 *
 * Returns 1 when there is more to do, and in how many milliseconds the next entry expires, -1 for never.
 */
export const trimScript: string = `${prelude}
local s = load()
if not s then
  -- A part of it is gone, which plain appends do not see. Without an epoch, the next one begins another.
  call('HDEL', HEAD, 'epoch')
  return {0, -1}
end
local maxEvents, maxBytes, maxAge = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local window, witnessAge, maxWitnesses, slice = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local minAge = tonumber(ARGV[10])
-- This process is still there.
call('HSET', HEAD, 'm:' .. ARGV[1], now() .. ' ' .. ARGV[2])
-- A process that clears a channel copies the entries. When it is gone, its copy goes, too.
local clearing = call('HGET', HEAD, 'clearing')
if clearing then
  local due = cmsgpack.unpack(clearing)[2]
  if due > now() then return {0, due - now()} end
  call('HDEL', HEAD, 'clearing')
  call('UNLINK', COPY)
end

-- Keeps what a trimmed entry leaves: the newest of a key, that its channel has lost something, its witness.
-- A superseded entry is lost for readers without conflation alone, so it has a mark of its own.
local marks, goneMarks, witnesses = {}, {}, {}
local function leave(offset, item)
  local channel, key = item[2], keyOf(item)
  -- Of an empty slot, nothing can be lost.
  if not key then
    if channel ~= '${clearedChannel}' then marks[channel] = offset end
  else
    local member = memberOf(channel, key)
    if tonumber(call('HGET', NEWEST, member) or 0) == offset then
      call('HSET', KEPT, member, cmsgpack.pack(blockOf({entryAt(offset)})))
    else goneMarks[channel] = offset end
  end
  if item[3] == 'sse:end' and tonumber(call('ZSCORE', ENDED, channel) or 0) == offset then call('ZREM', ENDED, channel) end
  witnesses[#witnesses + 1] = item[1]
end

local floor, floorWitness, weight, nextExpiry, removed = s.floor, s.floorWitness, s.weight, -1, 0

-- Whether the oldest entry is to go. The newest one stays.
local function isDue(time)
  -- A limit of number or size may wait a moment. Tails of all processes get the time to take what a burst has brought.
  local isExcess = s.top - floor > maxEvents or weight > maxBytes
  local dueAge, age = isExcess and minAge or maxAge, s.time - time
  if floor + 1 >= s.top or dueAge < 0 then return false end
  if age < dueAge then nextExpiry = dueAge - age end
  return age >= dueAge
end

-- Whether all entries of a block are to go: the slice then takes their weight from the header.
local function isWholeDue(last, header)
  local isExcess = s.top - last >= maxEvents or weight - header.weight >= maxBytes
  local dueAge = isExcess and minAge or maxAge
  return last < s.top and dueAge >= 0 and s.time - header.time >= dueAge
end

-- Removes the entries of a block that are due. False when one is not, or the slice is full.
local function trim(block)
  local header, last = headerOf(block), idOf(block)
  if removed >= slice or not isDue(header.time) then return false end
  -- Of the first block, some may be gone already.
  local isWhole = floor == last - header.count and isWholeDue(last, header)
  for i, item in ipairs(itemsOf(block)) do
    local offset = last - header.count + i
    if offset > floor then
      if not isWhole then
        if removed >= slice or not isDue(header.time) then return false end
        weight = weight - weightOf(item)
      end
      leave(offset, item)
      floor, floorWitness, removed = offset, item[1], removed + 1
    end
  end
  if isWhole then weight = weight - header.weight end
  return true
end

local isOver = true
while isOver do
  local chunk = call('XRANGE', ENTRIES, (floor + 1) .. '-0', '+', 'COUNT', 8)
  isOver = #chunk > 0
  for _, block in ipairs(chunk) do
    isOver = isOver and trim(block)
  end
end

-- Entries, marks and floor change together: a reader that misses an entry also sees that it was trimmed. The block of the oldest
-- entry stays as a whole.
if removed > 0 then
  for channel, offset in pairs(marks) do call('ZADD', TRIMMED, offset, channel) end
  for channel, offset in pairs(goneMarks) do call('ZADD', GONE, offset, channel) end
  call('HSET', HEAD, 'floor', floor, 'floorWitness', floorWitness, 'weight', weight)
  if witnessAge > 0 then
    -- Those of a field follow those that it has. The first ones may be missing, when witnesses were not kept before.
    local from = 1
    while from <= #witnesses do
      local offset = floor - #witnesses + from
      local number, place = math.floor((offset - 1) / BLOCK), (offset - 1) % BLOCK
      local to = math.min(#witnesses, from + BLOCK - place - 1)
      local known = call('HGET', WITNESSES, number)
      local bytes = known and string.sub(known, 9, 8 + place * 4) or ''
      bytes = bytes .. string.rep('\\0', place * 4 - #bytes)
      local added = struct.pack('>' .. string.rep('I4', to - from + 1), unpack(witnesses, from, to))
      call('HSET', WITNESSES, number, struct.pack('>d', s.time) .. bytes .. added)
      from = to + 1
    end
  end
  -- Last: if a right was taken away, entries are declared that are still there, and not the other way round.
  call('XTRIM', ENTRIES, 'MINID', '=', (floor + 1) .. '-0')
end

-- Blocks of witnesses are as old as their newest one. Only the oldest has to be checked.
-- A few in each pass, since there may be many after a change of the options.
local oldest = tonumber(call('HGET', HEAD, 'oldestWitnesses') or 0)
local newestBlock = math.floor((floor - 1) / BLOCK)
local checked = oldest
while checked < newestBlock and checked - oldest < 64 do
  local block = call('HGET', WITNESSES, checked)
  if block and #block >= 8 then
    local isExpired = struct.unpack('>d', block) + witnessAge <= s.time
    if not isExpired and (newestBlock - checked) * BLOCK <= maxWitnesses then break end
    call('HDEL', WITNESSES, checked)
  end
  checked = checked + 1
end
if checked ~= oldest then call('HSET', HEAD, 'oldestWitnesses', checked) end

-- Positions of idempotency keys whose window is over.
local expired = call('ZRANGEBYSCORE', IDTIMES, '(0', s.time - window, 'LIMIT', 0, slice)
if #expired > 0 then
  call('HDEL', IDS, unpack(expired))
  call('ZREM', IDTIMES, unpack(expired))
end

-- Processes that have ended leave their last call.
if call('HLEN', HEAD) > 128 then
  local fields = call('HGETALL', HEAD)
  for i = 1, #fields, 2 do
    local time = string.sub(fields[i], 1, 2) == 'q:' and string.match(fields[i + 1], '(%d+)$')
    if time and tonumber(time) + 600000 < s.time then
      call('HDEL', HEAD, fields[i])
      call('HDEL', CALLS, string.sub(fields[i], 3))
    end
  end
end

-- Channels of which nothing is retained: those are forgotten first that had an entry longest ago.
local excess = math.min(slice, call('ZCOUNT', LAST, 1, floor) - 65536)
if excess > 0 then
  local forgotten = call('ZRANGEBYSCORE', LAST, 1, floor, 'LIMIT', 0, excess)
  call('HSET', HEAD, 'forgotten', call('ZSCORE', LAST, forgotten[#forgotten]))
  for _, key in ipairs({LAST, CHANNELS, TRIMMED, ENDED, GONE}) do call('ZREM', key, unpack(forgotten)) end
end
local hasMore = removed >= slice or #expired == slice or excess == slice
return {hasMore and 1 or 0, nextExpiry}
`;
