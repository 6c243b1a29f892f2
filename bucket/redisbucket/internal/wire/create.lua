-- Makes a budget that is full, and returns 1, or 0 if there is one.
--
-- KEYS: 1 the budget, a hash. 2 its processes, a sorted set by when they were last seen.
-- ARGV: 1 capacity, 2 refill, 3 per
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2])
now = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'epoch', now .. '-' .. run, 'run', run, 'refilledTo', now, 'lastSeen', now,
  'learnsUntil', now, 'heldUntil', '0', 'level', ARGV[1], 'part', '0', 'capacity', ARGV[1], 'refill', ARGV[2],
  'per', ARGV[3], 'version', '1', 'sales', '0', 'members', '0')
return 1
