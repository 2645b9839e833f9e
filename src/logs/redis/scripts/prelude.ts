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
  for _, key in ipairs({NEWEST, KEPT, IDS, CALLS, WITNESSES}) do call('HSET', key, SENTINEL, '') end
  return load() or error('the log could not be created')
end

-- As \`entries.ts\` reads it.
local function headOf(s)
  return {s.epoch, s.top, s.witness, s.floor, s.floorWitness, s.clears}
end

-- An id is "<offset>-<witness>".
local function idOf(entry)
  local dash = string.find(entry[1], '-', 1, true)
  return tonumber(string.sub(entry[1], 1, dash - 1)), tonumber(string.sub(entry[1], dash + 1))
end

-- The fields of an entry are c(hannel), t(ype), k(ey), s(ender), p(revious witness), a(t), d(ata), always in this order: Redis
-- then stores their names once for many entries. A key begins with "k" and a sender with "s", so that none differs from an empty one.
-- In bytes of UTF-8. The contract counts UTF-16 code units, which are never more, so a page of this size fits.
local function weightOf(f)
  if not f[14] then error({err = 'FOREIGN an entry has the fields ' .. table.concat(f, ' ')}) end
  return #f[2] + #f[4] + #f[6] + #f[14] + 32
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
  -- The id has the witness: the offset alone is the range to look in.
  if offset > s.floor then
    local found = call('XRANGE', ENTRIES, offset .. '-0', offset .. '-4294967295', 'COUNT', 1)[1]
    if not found then return nil end
    local _, witness = idOf(found)
    return witness
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

-- Appends entries to a page until it is full. False when it is.
-- The first one is taken however large it is.
local function take(page, entry, limit, maxBytes)
  local weight = weightOf(entry[2])
  if #page.entries >= limit or (#page.entries > 0 and page.bytes + weight > maxBytes) then return false end
  page.entries[#page.entries + 1] = entry
  page.bytes = page.bytes + weight
  return true
end

-- Few at first: whether they are large is seen only when they are read.
local function chunkOf(page, limit, maxBytes)
  local count = #page.entries
  local fitting = count == 0 and 8 or math.ceil((maxBytes - page.bytes) / (page.bytes / count)) + 1
  return math.max(1, math.min(128, limit - count + 1, fitting))
end

-- For each entry of a page, whether a newer one of its key supersedes it: the places of those, from 1.
local function supersededIn(entries)
  -- Asked for together: most entries have no key.
  local members, places, found = {}, {}, {}
  for place, entry in ipairs(entries) do
    local key = entry[2][6]
    if key ~= '' then
      members[#members + 1] = memberOf(entry[2][2], string.sub(key, 2))
      places[#places + 1] = place
    end
  end
  -- In groups: Lua passes a few thousand arguments at most.
  for from = 1, #members, MANY do
    local offsets = call('HMGET', NEWEST, unpack(members, from, math.min(from + MANY - 1, #members)))
    for i, newest in ipairs(offsets) do
      local place = places[from + i - 1]
      local offset = idOf(entries[place])
      if newest and tonumber(newest) > offset then found[#found + 1] = place end
    end
  end
  return found
end
`;
