-- Answers an ask as bucket.Shared does, whose functions have the same names and the same order. All numbers are whole
-- and below 2^53, which Lua's numbers hold exactly. Instants and durations are in µs. They are written by
-- string.format, since tostring and .. round to 14 digits.
--
-- KEYS: 1 the budget, a hash. 2 its processes, a sorted set by when they were last seen.
-- ARGV: 1 process, 2 seq, 3 want, 4 least, 5 ahead, 6 back, 7 charge, 8 epoch, 9 mine, 10 hold, 11 remaining or '',
--       12 capacity, 13 refill, 14 per, 15 version, 16 leave ('1')
local LEARN, SHARER, MEMORY, MIN_AHEAD, MAX_AHEAD = 2250000, 3000000, 600000000, 50000, 1000000
local MAX_EXACT = 4503599627370496 -- 2^52
local max, min, floor = math.max, math.min, math.floor
local function digits(n) return string.format('%.0f', n) end

local process, seq, want, least, ahead = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local back, charges, mine, hold = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[10])
local remaining, leave = tonumber(ARGV[11]), ARGV[16] == '1'
local field = 'p:' .. process

local s = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'refilledTo', 'lastSeen', 'learnsUntil', 'heldUntil', 'level', 'part',
  'capacity', 'refill', 'per', 'version', 'sales', 'members', field)
local epoch, refilledTo, lastSeen = s[1], tonumber(s[3]), tonumber(s[4])
local learnsUntil, heldUntil, level, part = tonumber(s[5]), tonumber(s[6]), tonumber(s[7]), tonumber(s[8])
local capacity, refill, per, version = tonumber(s[9]), tonumber(s[10]), tonumber(s[11]), tonumber(s[12]) or 0
local sales, members, last = tonumber(s[13]), tonumber(s[14]), s[15]

-- begin: also if one of the two keys was evicted
if not epoch or s[2] ~= run or now < lastSeen - 1000000 or redis.call('ZCARD', KEYS[2]) ~= members then
  redis.call('DEL', KEYS[1], KEYS[2])
  epoch, lastSeen, learnsUntil, heldUntil = digits(now) .. '-' .. run, now, now + LEARN, 0
  refilledTo, level, part, sales, members, last = learnsUntil, 0, 0, 0, 0, false
end
now = max(now, lastSeen)

-- forget
local before = '(' .. digits(now - MEMORY)
local forgotten = members > 0 and redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before) or {}
for _, name in ipairs(forgotten) do
  redis.call('HDEL', KEYS[1], 'p:' .. name)
  if name == process then last = false end
end
if #forgotten > 0 then members = members - redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', before) end

-- terms returns how many processes share the budget, and how far ahead tokens are sold
local function terms(ahead)
  local sharers = max(1, redis.call('ZCOUNT', KEYS[2], digits(now - SHARER), '+inf'))
  if ahead > 0 then return sharers, ahead end
  if floor(per / refill) >= 10000 then return sharers, MAX_AHEAD end
  return sharers, min(max(sharers * floor(100 * per / refill), MIN_AHEAD), MAX_AHEAD)
end

local function answer(tokens, sharers, ahead)
  return string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %s', tokens, level, part, refill, per,
    capacity, version, sharers, ahead, max(0, heldUntil - now), max(0, learnsUntil - now), epoch)
end

if last then
  local lastSeq, lastAnswer = string.match(last, '^(%d+) (.*)$')
  if tonumber(lastSeq) >= seq then
    redis.call('HSET', KEYS[1], 'lastSeen', digits(now), 'members', digits(members))
    if tonumber(lastSeq) == seq then return lastAnswer end
    return answer(0, terms(0)) -- to a copy that was on its way for long
  end
end

local function lowest() return capacity - floor(MAX_EXACT / per) end

local function fill()
  if now <= refilledTo or version == 0 then return end
  local elapsed = now - refilledTo
  refilledTo = now
  local need = (capacity - level) * per
  if elapsed > floor((need + per) / refill) then
    level, part = capacity, 0
    return
  end
  local units = elapsed * refill + part
  level, part = level + floor(units / per), units % per
  if level >= capacity then level, part = capacity, 0 end
end

-- setLimit
local hints = false
if tonumber(ARGV[15]) > version then
  hints = version > 0
  fill()
  capacity, refill, per, version = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
  level, part = min(max(level, lowest()), capacity), 0
end
fill()

-- book
local function charge(n) level = max(level - n, lowest()) end
if ARGV[8] == epoch and last then
  level = level + back
  if level >= capacity then level, part = capacity, 0 end
end
if ARGV[8] ~= epoch and ARGV[8] ~= '' and now < learnsUntil then charge(mine) end
charge(charges)
if remaining and remaining < level then level, part = remaining, 0 end
hints = hints or hold > 0 and heldUntil <= now
heldUntil = max(heldUntil, now + hold)
if heldUntil > now then -- the refill begins when the hold is over
  refilledTo = max(refilledTo, heldUntil)
  level, part = min(level, 0), 0
end

local function shareOf(n, sharers)
  local rest, turn = n % sharers, (sales + floor(sales / sharers)) % sharers
  return floor(n / sharers) + floor((turn + 1) * rest / sharers) - floor(turn * rest / sharers)
end

-- answer and sell: a process that leaves is remembered as if it had been silent for long
local seen = now
if leave then seen = now - SHARER - 1 end
members = members + redis.call('ZADD', KEYS[2], digits(seen), process)
local sharers, tokens = nil, 0
sharers, ahead = terms(ahead)
if not leave and now >= refilledTo then
  local share = floor(max(level, 0) / sharers) + shareOf(floor(ahead * refill / per), sharers)
  tokens = min(want, max(least, share, 1), max(0, level - lowest()))
end
local reply = answer(tokens, sharers, ahead)
level, sales = level - tokens, sales + min(tokens, 1)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'refilledTo', digits(refilledTo), 'lastSeen', digits(now),
  'learnsUntil', digits(learnsUntil), 'heldUntil', digits(heldUntil), 'level', digits(level), 'part', digits(part),
  'capacity', digits(capacity), 'refill', digits(refill), 'per', digits(per), 'version', digits(version),
  'sales', digits(sales), 'members', digits(members), field, ARGV[2] .. ' ' .. reply)
if hints then redis.pcall('PUBLISH', KEYS[1], process) end
return reply
