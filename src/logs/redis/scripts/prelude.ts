// The beginning of every script: the names of its keys, the state of the log, and how entries and selections are found.
//
// Redis runs a script as a whole: its answers are of one state, and what it writes is replicated together or not at all.

/**
 * The sentinel keeps every key in existence, so one `EXISTS` proves that none was evicted or deleted. It is a byte that no
 * UTF-8 text has, so it is not a channel, and sorts after all of them.
 */
export const prelude = `
local HEAD, ENTRIES, CHANNELS, LAST, ENDED, TRIMMED, KEYNAMES, NEWEST, KEPT, IDS, IDTIMES, CALLS, WITNESSES, GONE, COPY =
  unpack(KEYS)
local call = redis.call
-- In every key but the stream.
local SENTINEL = '\\255'
-- Witnesses of one field: a kilobyte.
local BLOCK = 256

-- A replica that was the primary before would answer with what it has. It refuses a write, even one that changes nothing;
-- other reasons to refuse writes, such as a full disk, do not concern readers.
local function requirePrimary()
  local refused = redis.pcall('HDEL', HEAD, SENTINEL)
  if type(refused) == 'table' and refused.err and string.find(refused.err, 'READONLY', 1, true) then error(refused) end
end

-- In milliseconds, by the clock of the server: those of the processes differ.
local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The state of the log, nil when there is none, or when a part of it is gone.
local function load()
  local h = call('HMGET', HEAD, 'epoch', 'origin', 'top', 'witness', 'floor', 'floorWitness', 'weight', 'forgotten', 'time',
    'clears')
  if not h[1] or call('EXISTS', unpack(KEYS, 1, 14)) < (h[3] == '0' and 13 or 14) then return nil end
  return {
    epoch = h[1], origin = tonumber(h[2]), top = tonumber(h[3]), witness = tonumber(h[4]), floor = tonumber(h[5]),
    floorWitness = tonumber(h[6]), weight = tonumber(h[7]), forgotten = tonumber(h[8]),
    -- Ages are differences of these: a clock that was set back must not make newer entries older.
    time = math.max(now(), tonumber(h[9])),
    -- How many channels were cleared: pages from before such a clearing have what is erased.
    clears = tonumber(h[10] or 0),
  }
end

-- The state of the log. Without one, a new epoch begins: what is left of the old one cannot be continued.
local function open(epoch, origin)
  requirePrimary()
  local state = load()
  if state then return state end
  -- The processes that use the log still do.
  local members = {}
  local fields = call('HGETALL', HEAD)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'm:' then members[#members + 1] = fields[i]; members[#members + 1] = fields[i + 1] end
  end
  call('UNLINK', unpack(KEYS))
  call('HSET', HEAD, 'version', 1, 'epoch', epoch, 'origin', origin, 'top', 0, 'witness', origin, 'floor', 0,
    'floorWitness', origin, 'weight', 0, 'forgotten', 0, 'time', now(), unpack(members))
  for _, key in ipairs({CHANNELS, LAST, ENDED, TRIMMED, GONE, KEYNAMES, IDTIMES}) do call('ZADD', key, 0, SENTINEL) end
  -- Too long for the compact form of a sorted set, in which an update goes through all members: each append updates this one.
  call('ZADD', LAST, 0, string.rep(SENTINEL, 65))
  for _, key in ipairs({NEWEST, KEPT, IDS, CALLS, WITNESSES}) do call('HSET', key, SENTINEL, '') end
  return load() or error('the log could not be created')
end

-- As \`blocks.ts\` reads it.
local function headOf(s)
  return {s.epoch, s.top, s.witness, s.floor, s.floorWitness, s.clears}
end

-- Entries are stored in blocks, each of which is one entry of the stream: those of a call of a script, as far as they fit. A block
-- has the id "<offset>-<witness>" of its last entry.
local function idOf(block)
  local dash = string.find(block[1], '-', 1, true)
  return tonumber(string.sub(block[1], 1, dash - 1)), tonumber(string.sub(block[1], dash + 1))
end

-- The fields of a block are h(eader) and e(ntries), in JSON. The header is the witness before the first entry, the time, the number of
-- entries, the number of those with a key, and the weight of all of them.
local function headerOf(block)
  local f = block[2]
  if f[1] ~= 'h' or f[3] ~= 'e' then error({err = 'FOREIGN an entry has the fields ' .. table.concat(f, ' ')}) end
  local previous, time, count, keyed, weight = string.match(f[2], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {previous = tonumber(previous), time = tonumber(time), count = tonumber(count), keyed = tonumber(keyed),
    weight = tonumber(weight)}
end

-- An item is an entry in JSON: [witness, channel, type, data], with two more, null for none, when it has a key or a sender.
local function itemsOf(block)
  return cjson.decode(block[2][4])
end

-- nil without one.
local function keyOf(item)
  return item[5] ~= cjson.null and item[5] or nil
end

local decoded = {}
local function entriesOf(block)
  local entries = decoded[block[1]]
  if entries then return entries end
  local header, last = headerOf(block), idOf(block)
  local previous = header.previous
  entries = {}
  for i, item in ipairs(itemsOf(block)) do
    entries[i] = {offset = last - header.count + i, previous = previous, time = header.time, item = item}
    previous = item[1]
  end
  decoded[block[1]] = entries
  return entries
end

-- In UTF-16 code units, which are bytes as long as all of them are ASCII.
local function lengthOf(text)
  if not string.find(text, '[\\128-\\255]') then return #text end
  local _, following = string.gsub(text, '[\\128-\\191]', '')
  local _, long = string.gsub(text, '[\\240-\\255]', '')
  return #text - following + long
end

-- As \`weightOf\` of the kit counts it.
local function weightOf(item)
  return lengthOf(item[2]) + lengthOf(item[3]) + lengthOf(item[4]) + lengthOf(keyOf(item) or '') + 32
end

-- A block of the same entries, in the same form, once their items have changed.
local function blockOf(entries)
  local first, last, items, keyed, weight = entries[1], entries[#entries], {}, 0, 0
  for i, entry in ipairs(entries) do
    items[i] = entry.item
    if keyOf(entry.item) then keyed = keyed + 1 end
    weight = weight + weightOf(entry.item)
  end
  local header = string.format('%.0f %.0f %d %d %.0f', first.previous, first.time, #items, keyed, weight)
  return {string.format('%.0f-%.0f', last.offset, last.item[1]), {'h', header, 'e', cjson.encode(items)}}
end

-- The block that has an offset above the floor, nil when it is missing.
local function blockAt(offset)
  return call('XRANGE', ENTRIES, offset .. '-0', '+', 'COUNT', 1)[1]
end

-- An entry above the floor, nil when it is missing.
local function entryAt(offset)
  local block = blockAt(offset)
  return block and entriesOf(block)[headerOf(block).count - (idOf(block) - offset)]
end

-- A key and its channel as one text, in which all keys of a channel, and of a prefix, follow one another.
local function escaped(channel)
  if not string.find(channel, '[%z\\1]') then return channel end
  return (string.gsub(channel, '[%z\\1]', function(c) return c == '\\1' and '\\1\\2' or '\\1\\1' end))
end

-- The zero byte sorts before all others, and an escaped channel has none.
local function memberOf(channel, key)
  return escaped(channel) .. '\\0' .. key
end

-- The witness at an offset, nil where it is not known.
local function witnessAt(s, offset)
  if offset == s.top then return s.witness end
  if offset == s.floor then return s.floorWitness end
  if offset == 0 then return s.origin end
  if offset > s.top then return nil end
  if offset > s.floor then
    local entry = entryAt(offset)
    return entry and entry.item[1]
  end
  local block = call('HGET', WITNESSES, math.floor((offset - 1) / BLOCK))
  if not block then return nil end
  -- After the time of the block, eight bytes.
  local at = 9 + ((offset - 1) % BLOCK) * 4
  if #block < at + 3 then return nil end
  local witness = struct.unpack('>I4', block, at)
  return witness ~= 0 and witness or nil
end

-- Of a channel that is not known any longer, the highest offset that it may have.
local function lastOf(s, channel)
  return tonumber(call('ZSCORE', LAST, channel) or s.forgotten)
end

-- A channel that is known and has no mark has lost nothing.
local function trimmedOf(s, channel)
  if s.floor == 0 then return 0 end
  local trimmed = call('ZSCORE', TRIMMED, channel)
  if trimmed then return tonumber(trimmed) end
  return call('ZSCORE', LAST, channel) and 0 or s.forgotten
end

-- For a reader without conflation, which misses superseded entries, too.
local function goneOf(s, channel)
  return math.max(trimmedOf(s, channel), tonumber(call('ZSCORE', GONE, channel) or 0))
end

-- The highest offset that any channel has lost. Not the floor: of superseded entries, some readers have lost nothing.
local function lostOfAll(s, marks)
  local trimmed = s.forgotten
  for _, key in ipairs(marks) do trimmed = math.max(trimmed, tonumber(call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])) end
  return trimmed
end

-- Of very many channels, that is the answer, too: too much may be declared then, and never too little.
local MANY = 1000
local function lostOfPrefix(s, prefix, marks)
  if s.floor == 0 then return 0 end
  if prefix == '' then return lostOfAll(s, marks) end
  local channels = call('ZRANGEBYLEX', CHANNELS, '[' .. prefix, '(' .. prefix .. SENTINEL, 'LIMIT', 0, MANY)
  if #channels == MANY then return lostOfAll(s, marks) end
  local trimmed = s.forgotten
  if #channels > 0 then
    for _, key in ipairs(marks) do
      for _, score in ipairs(call('ZMSCORE', key, unpack(channels))) do
        if score then trimmed = math.max(trimmed, tonumber(score)) end
      end
    end
  end
  return trimmed
end

local function trimmedOfPrefix(s, prefix) return lostOfPrefix(s, prefix, {TRIMMED}) end
local function goneOfPrefix(s, prefix) return lostOfPrefix(s, prefix, {TRIMMED, GONE}) end

-- The range of the keys of a channel, or of all channels with a prefix, in the sorted set of keys.
local function keyRange(name, isPrefix)
  local from = escaped(name)
  if isPrefix then return '[' .. from, '(' .. from .. SENTINEL end
  return '[' .. from .. '\\0', '(' .. from .. '\\1'
end

-- Whether a channel, or one with a prefix, has an entry with a key. A key is never forgotten.
local function hasKeys(name, isPrefix)
  local from, to = keyRange(name, isPrefix)
  return #call('ZRANGEBYLEX', KEYNAMES, from, to, 'LIMIT', 0, 1) > 0
end

-- Appends a block to a page. False when the page is full: it counts the bytes in JSON, which are more than the contract counts.
-- The first one is taken however large it is.
local function take(page, block, limit, maxBytes)
  local count = headerOf(block).count
  local weight = #block[2][4] + 32 * count
  if #page.blocks > 0 and (page.count + count > limit or page.bytes + weight > maxBytes) then return false end
  page.blocks[#page.blocks + 1] = block
  page.count, page.bytes = page.count + count, page.bytes + weight
  return true
end

-- Few at first: whether they are large is seen only when they are read.
local function chunkOf(page, limit, maxBytes)
  local blocks = #page.blocks
  local fitting = blocks == 0 and 8 or math.ceil((maxBytes - page.bytes) / (page.bytes / blocks)) + 1
  return math.max(1, math.min(128, limit - page.count + 1, fitting))
end

-- The offsets of the entries that a newer one of their key supersedes.
local function supersededIn(blocks)
  -- Asked for together. Most blocks have no keys, and are not decoded.
  local members, offsets, found = {}, {}, {}
  for _, block in ipairs(blocks) do
    for _, entry in ipairs(headerOf(block).keyed > 0 and entriesOf(block) or {}) do
      local key = keyOf(entry.item)
      if key then
        members[#members + 1] = memberOf(entry.item[2], key)
        offsets[#offsets + 1] = entry.offset
      end
    end
  end
  -- In groups: Lua passes a few thousand arguments at most.
  for from = 1, #members, MANY do
    local newest = call('HMGET', NEWEST, unpack(members, from, math.min(from + MANY - 1, #members)))
    for i = 1, #newest do
      local offset = offsets[from + i - 1]
      if newest[i] and tonumber(newest[i]) > offset then found[#found + 1] = offset end
    end
  end
  return found
end
`;
