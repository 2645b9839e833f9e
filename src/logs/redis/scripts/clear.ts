// The scripts that erase a channel: the stream is copied without its entries, and the copy takes the place of the stream.
//
// XDEL would only mark entries as deleted. Their data would stay in the memory and in the dumps of the server until all of their
// neighbors are gone (`streamIteratorRemoveEntry` in t_stream.c), and nothing would be left that tells their witnesses.
import { clearedChannel, clearType } from "../../../log/cleared.ts";
import { prelude } from "./prelude.ts";

/** Entries and bytes that one slice copies: a few milliseconds, for which all other clients of the server wait. */
const sliceEntries = 500;
const sliceBytes = 1024 ** 2;
/** How long a copy is reserved after its last slice, in milliseconds. After that, its process counts as gone. */
const reservationMs = 5_000;

/**
 * One slice. Takes a name for this clearing, the channel, and the witness of the entry that records it. Returns `more` when
 * another slice is to follow; `busy` while another clearing is under way; `empty` when the channel has no entries; `done`, the epoch
 * and the offset of the new entry.
 *
 * Retention waits while the stream is copied, so the copy has the same floor. Entries that are appended in the meantime are copied by
 * later slices. The last slice replaces the stream and erases what else is known of the channel: no reader sees a part of it.
 */
export const clearScript: string = `${prelude}
local s = load()
if not s then return {'empty'} end
local token, channel, witness = ARGV[1], ARGV[2], ARGV[3]
local owner, due, copied, freed, first, last
local found = call('HGET', HEAD, 'clearing')
if found then owner, due, copied, freed, first, last = unpack(cmsgpack.unpack(found)) end
if owner and owner ~= token and due > now() then return {'busy'} end

-- The values of the channel, of which some are in the stream and some are kept apart.
local from, to = keyRange(channel, false)
if owner ~= token then
  if lastOf(s, channel) <= s.floor and not hasKeys(channel, false) then return {'empty'} end
  call('UNLINK', COPY)
  copied, freed, first, last = s.floor, 0, 0, 0
end

-- A block without the entries of the channel, also without those that are trimmed already.
local function clear(block)
  local hasAny = false
  for _, entry in ipairs(entriesOf(block)) do
    local item = entry.item
    if item[2] == channel then
      entry.item, hasAny = {item[1], '${clearedChannel}', 'sse:cleared', ''}, true
      if entry.offset > s.floor then
        freed = freed + weightOf(item) - weightOf(entry.item)
        first, last = first == 0 and entry.offset or first, entry.offset
      end
    end
  end
  return hasAny and blockOf(entriesOf(block)) or block
end

local bytes, count = 0, 0
while copied < s.top and count < ${sliceEntries} and bytes < ${sliceBytes} do
  local chunk = call('XRANGE', ENTRIES, (copied + 1) .. '-0', '+', 'COUNT', 8)
  if #chunk == 0 then break end
  for _, block in ipairs(chunk) do
    copied = idOf(block)
    bytes, count = bytes + #block[2][4], count + headerOf(block).count
    local copy = clear(block)
    call('XADD', COPY, copy[1], unpack(copy[2]))
  end
end
if copied < s.top then
  call('HSET', HEAD, 'clearing', cmsgpack.pack({token, now() + ${reservationMs}, copied, freed, first, last}))
  return {'more'}
end

local members = call('ZRANGEBYLEX', KEYNAMES, from, to)
for _, member in ipairs(members) do
  local kept = call('HGET', KEPT, member)
  if kept then
    local offset = idOf(cmsgpack.unpack(kept))
    first, last = first == 0 and offset or math.min(first, offset), math.max(last, offset)
  end
end
if first == 0 then
  call('HDEL', HEAD, 'clearing')
  call('UNLINK', COPY)
  return {'empty'}
end
-- The first of the changes, since it needs a permission that nothing else needs. Readers that wait for entries find
-- the copy, whose ids are the same.
call('RENAME', COPY, ENTRIES)
call('HDEL', HEAD, 'clearing')
call('HSET', HEAD, 'clears', s.clears + 1)
for _, member in ipairs(members) do
  call('HDEL', KEPT, member)
  call('HDEL', NEWEST, member)
  call('ZREM', KEYNAMES, member)
end
call('ZREM', ENDED, channel)
local top, data = s.top + 1, string.format('{"from":%.0f,"to":%.0f}', first, last)
local entry = {offset = top, previous = s.witness, time = s.time, item = {tonumber(witness), channel, '${clearType}', data}}
local block = blockOf({entry})
call('XADD', ENTRIES, block[1], unpack(block[2]))
local weight = s.weight - freed + weightOf(entry.item)
call('HSET', HEAD, 'top', top, 'witness', witness, 'weight', weight, 'time', s.time)
if call('ZADD', LAST, top, channel) == 1 then call('ZADD', CHANNELS, 0, channel) end
return {'done', s.epoch, top}
`;

/**
 * Forgets the idempotency keys of entries of a channel before an offset, those of one slice. Takes the cursor of the slice, the
 * channel and the offset. Returns the cursor of the next slice, 0 after the last one.
 */
export const forgetScript: string = `${prelude}
local reply = call('HSCAN', IDS, ARGV[1], 'COUNT', ${sliceEntries})
local prefix, before = memberOf(ARGV[2], ''), tonumber(ARGV[3])
for i = 1, #reply[2], 2 do
  local member, position = reply[2][i], reply[2][i + 1]
  if string.sub(member, 1, #prefix) == prefix and tonumber(string.match(position, ' (%d+)')) < before then
    call('HDEL', IDS, member)
    call('ZREM', IDTIMES, member)
  end
end
return reply[1]
`;
