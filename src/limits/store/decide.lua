-- One decision about all quotas that hold for a request: all of them are spent, or none.
--
-- KEYS  a hash for each list of quotas. A field for each quota, named after its time:
--       `at:spent:full`, what was spent of it at a moment, of how much.
-- ARGV  for each quota: the number of its key, its field, how much it is in all, what has to be left
--       of it, what the request spends, and what the gateway knows to be spent.
--
-- The moment is in microseconds, by the clock of the store; all else in nanoseconds, as time in which
-- it comes back. Nothing here is larger than 2^53 unless it takes longer than a hundred days to come
-- back, and then a millionth is lost at most.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- What is left of what was spent, as the same share of `full`; and whether it was a share of something
-- else.
local function remains(stored, full)
  local at, spent, of = string.match(stored, '^(%d+):(%d+):([1-9]%d*)$')
  if not at then return 0, false end
  at, spent, of = tonumber(at), tonumber(spent), tonumber(of)
  spent = math.max(0, spent - math.max(0, now - at) * 1000)
  if of == full then return spent, false end
  return math.ceil(spent / of * full), true
end

local quotas, admitted = {}, true
for i = 1, #ARGV, 6 do
  local key, field, full = KEYS[tonumber(ARGV[i])], ARGV[i + 1], tonumber(ARGV[i + 2])
  local spent, is_new = 0, false
  local stored = redis.call('HGET', key, field)
  if stored then
    spent, is_new = remains(stored, full)
  else
    -- A new quota takes over from the one of its list that is spent most.
    for _, other in ipairs(redis.call('HVALS', key)) do
      spent, is_new = math.max(spent, (remains(other, full))), true
    end
  end
  spent = math.max(spent, tonumber(ARGV[i + 5]))
  local wait = math.max(0, spent - (full - tonumber(ARGV[i + 3])))
  admitted = admitted and wait == 0
  quotas[#quotas + 1] = { key = key, field = field, full = full, spent = spent, wait = wait,
    cost = tonumber(ARGV[i + 4]), is_new = is_new }
end

local reply, longest = {}, {}
for _, quota in ipairs(quotas) do
  if admitted then quota.spent = quota.spent + quota.cost end
  -- From now on a new quota comes back at its own pace.
  if admitted or quota.is_new then
    redis.call('HSET', quota.key, quota.field,
      string.format('%.0f:%.0f:%.0f', now, quota.spent, quota.full))
    longest[quota.key] = math.max(longest[quota.key] or 0, quota.spent)
  end
  reply[#reply + 1] = quota.spent
  reply[#reply + 1] = quota.wait
end
-- What has come back need not be kept.
for key, spent in pairs(longest) do
  local left = math.ceil(spent / 1000000) + 1000
  if redis.call('PTTL', key) < left then redis.call('PEXPIRE', key, string.format('%.0f', left)) end
end
return reply
