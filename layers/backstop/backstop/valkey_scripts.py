"""What Valkey or Redis does all at once: the Lua scripts of the store of windows, and what each takes and answers.

A window is a hash: `opened` and `counted_at` (milliseconds since 1970), `count`, `slots` (a text), `is_open`, and
`version`, which grows with each change, is never less than the clock, and so grows on where a server has lost it.
Clocks arrive as arguments; the server's own only forgets what is long over. Each script touches the keys of one group,
or one key: a cluster runs it where these are.
"""

from __future__ import annotations

from typing import Final

COUNT: Final = """
-- keys: a window, its batches
-- in: batch, count, now, what opened at or before this is past, kept for, batches kept;
--     the version that gives way to a new window ('': none is there), and the slots of that
-- out: what was done, and the window as it is now; "past" if it has to give way, and its version was another
local batch, count, now, past, kept, batches, replaced, slots = unpack(ARGV)
local known = redis.call('HMGET', KEYS[1], 'version', 'opened')
local version = known[1] or ''
local function answer(what)
  return {what, redis.call('HMGET', KEYS[1], 'opened', 'counted_at', 'count', 'slots', 'is_open', 'version')}
end
if known[1] and redis.call('ZSCORE', KEYS[2], batch) then return answer('repeat') end
local what = 'grown'
if known[1] and tonumber(known[2]) > tonumber(past) then
  redis.call('HINCRBY', KEYS[1], 'count', count)
elseif version == replaced then
  what = 'opened'
  redis.call('HSET', KEYS[1], 'opened', now, 'count', count, 'slots', slots)
else
  return answer('past')
end
local next_version = string.format('%.0f', math.max((tonumber(version) or 0) + 1, tonumber(now)))
redis.call('HSET', KEYS[1], 'counted_at', now, 'is_open', '1', 'version', next_version)
redis.call('ZADD', KEYS[2], next_version, batch)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - batches)
redis.call('PEXPIRE', KEYS[1], kept)
redis.call('PEXPIRE', KEYS[2], kept)
return answer(what)
"""

READ: Final = """
-- keys: a window
-- out: the window
return redis.call('HMGET', KEYS[1], 'opened', 'counted_at', 'count', 'slots', 'is_open', 'version')
"""

REPLACE: Final = """
-- keys: a window
-- in: opened, its slots, others
-- out: 1, or 0 where the window or its slots are others by now
local opened, were, slots = unpack(ARGV)
local known = redis.call('HMGET', KEYS[1], 'opened', 'slots')
if known[1] ~= opened or known[2] ~= were then return 0 end
redis.call('HSET', KEYS[1], 'slots', slots)
redis.call('HINCRBY', KEYS[1], 'version', 1)
return 1
"""

CLOSE: Final = """
-- keys: a window
-- in: opened, its count, its slots
-- out: its version, or nothing where it is another by now
local opened, count, slots = unpack(ARGV)
local known = redis.call('HMGET', KEYS[1], 'opened', 'count', 'slots', 'version')
if known[1] ~= opened or known[2] ~= count or known[3] ~= slots then return false end
redis.call('HSET', KEYS[1], 'is_open', '0')
return known[4]
"""

LIST: Final = """
-- keys: the index of open windows, a sorted set: groups by the version in which each was counted last
-- in: version, group, kept for
local listed = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not listed or tonumber(listed) < tonumber(ARGV[1]) then redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""

UNLIST: Final = """
-- keys: the index of open windows
-- in: group, version: one that was counted since stays
local listed = redis.call('ZSCORE', KEYS[1], ARGV[1])
if listed and tonumber(listed) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""

LISTED: Final = """
-- keys: the index of open windows
-- out: groups, and after each the version in which it was counted last
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
"""

ADD: Final = """
-- keys: a counter
-- in: what to add, kept for
-- out: the sum
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return sum
"""
