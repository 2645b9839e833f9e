// The scripts that read: pages of the sequence, forwards and backwards, the newest entry of each key, and what reconnecting
// clients ask.
import { prelude } from "./prelude.ts";

/** Each of them takes an epoch and an origin witness first, for the case that there is no log any longer. */
const opening = `${prelude}
local s = open(ARGV[1], ARGV[2])
`;

/**
 * Takes an offset, and the most entries and bytes. Returns the head, the blocks with the entries after the offset, and the offsets
 * of superseded ones among them. The first block may have entries before that, too.
 */
export const pageScript: string = `${opening}
local limit, maxBytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {blocks = {}, count = 0, bytes = 0}
-- In chunks: the number of entries that fit is known only once they are read.
local from = math.max(tonumber(ARGV[3]), s.floor)
while from < s.top do
  local chunk = call('XRANGE', ENTRIES, (from + 1) .. '-0', '+', 'COUNT', chunkOf(page, limit, maxBytes))
  for _, block in ipairs(chunk) do
    if not take(page, block, limit, maxBytes) then return {headOf(s), page.blocks, supersededIn(page.blocks)} end
    from = idOf(block)
  end
  if #chunk == 0 then break end
end
return {headOf(s), page.blocks, supersededIn(page.blocks)}
`;

/**
 * Takes an offset, -1 for the newest of the channels that follow, the most entries and bytes, and the names of channels.
 * Returns the head, the blocks with the entries up to that offset, newest first, and the offsets of superseded ones among them.
 * The first block may have entries after that, too.
 */
export const backScript: string = `${opening}
local upTo, limit, maxBytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {blocks = {}, count = 0, bytes = 0}
-- Nothing of these channels is newer.
if upTo == -1 then
  for i = 6, #ARGV do upTo = math.max(upTo, lastOf(s, ARGV[i])) end
end
upTo = math.min(upTo, s.top)
local newest = upTo > s.floor and blockAt(upTo)
local from = newest and newest[1]
while from and upTo > s.floor do
  local chunk = call('XREVRANGE', ENTRIES, from, '-', 'COUNT', chunkOf(page, limit, maxBytes))
  for _, block in ipairs(chunk) do
    if not take(page, block, limit, maxBytes) then return {headOf(s), page.blocks, supersededIn(page.blocks)} end
    upTo = idOf(block) - headerOf(block).count
  end
  if #chunk == 0 then break end
  from = upTo .. '-4294967295'
end
return {headOf(s), page.blocks, supersededIn(page.blocks)}
`;

/**
 * Takes two offsets, the second -1 for the floor; the most entries and bytes; 1 for all channels or else 0, the number of
 * names, the names, and the prefixes. Returns the head, a block with the newest entry of each key between the offsets, oldest first,
 * up to which offset they are complete, and the highest offset that is missing for readers with and without `conflate`.
 */
export const valuesScript: string = `${opening}
local after, upTo = tonumber(ARGV[3]), tonumber(ARGV[4])
local limit, maxBytes, isAll, names = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8])
if upTo == -1 then upTo = s.floor end

-- Members by their offset. Selections overlap: a value is found once.
local found, trimmed, gone = {}, isAll and trimmedOfPrefix(s, '') or 0, isAll and goneOfPrefix(s, '') or 0
local function collect(from, to)
  -- All of them, on each page: their offsets are in no order.
  local members = call('ZRANGEBYLEX', KEYNAMES, from, to)
  if after >= upTo then return end
  for first = 1, #members, MANY do
    local last = math.min(first + MANY - 1, #members)
    for i, newest in ipairs(call('HMGET', NEWEST, unpack(members, first, last))) do
      local offset = tonumber(newest)
      if offset and offset > after and offset <= upTo then found[offset] = members[first + i - 1] end
    end
  end
end
if isAll then collect('-', '(' .. SENTINEL) end
for i = 9, #ARGV do
  local isPrefix = i >= 9 + names
  collect(keyRange(ARGV[i], isPrefix))
  trimmed = math.max(trimmed, isPrefix and trimmedOfPrefix(s, ARGV[i]) or trimmedOf(s, ARGV[i]))
  gone = math.max(gone, isPrefix and goneOfPrefix(s, ARGV[i]) or goneOf(s, ARGV[i]))
end

-- In the order of the log, which is not that of the keys.
local offsets = {}
for offset in pairs(found) do offsets[#offsets + 1] = offset end
table.sort(offsets)
local page, through = {blocks = {}, count = 0, bytes = 0}, upTo
for _, offset in ipairs(offsets) do
  -- In the stream until it is trimmed, and kept apart after that.
  local block
  if offset > s.floor then
    local entry = entryAt(offset)
    block = entry and blockOf({entry})
  else
    local kept = call('HGET', KEPT, found[offset])
    block = kept and cmsgpack.unpack(kept)
  end
  if block and not take(page, block, limit, maxBytes) then
    through = idOf(page.blocks[#page.blocks])
    break
  end
end
return {headOf(s), page.blocks, through, trimmed, gone}
`;

/**
 * Takes the number of offsets, the number of names, the offsets, the names, and the prefixes. Returns the head; the witness
 * at each offset, 0 where it is not known; and for each name and prefix: trimmed, whether there are values, the end marker.
 */
export const locateScript: string = `${opening}
local offsets, names = tonumber(ARGV[3]), tonumber(ARGV[4])
local witnesses, found = {}, {}
for i = 5, 4 + offsets do witnesses[#witnesses + 1] = witnessAt(s, tonumber(ARGV[i])) or 0 end
for i = 5 + offsets, #ARGV do
  local name = ARGV[i]
  -- Names come first, and prefixes after them.
  if i < 5 + offsets + names then
    local ended = call('ZSCORE', ENDED, name)
    -- An older marker does not count, nor one that was trimmed.
    local marker
    if ended and tonumber(ended) > s.floor and tonumber(ended) == lastOf(s, name) then
      local entry = entryAt(ended)
      marker = entry and blockOf({entry})
    end
    found[#found + 1] = {trimmedOf(s, name), hasKeys(name, false) and 1 or 0, marker}
  else
    found[#found + 1] = {trimmedOfPrefix(s, name), hasKeys(name, true) and 1 or 0}
  end
end
return {headOf(s), witnesses, found}
`;
