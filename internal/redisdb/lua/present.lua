-- Notes that a server is there, and counts those that were within a while.
--
-- KEYS  the servers (a sorted set, by the moment at which each was last there, in microseconds of this server's clock)
-- ARGV  the server, and the while in microseconds
-- Returns how many there are.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000))
return {redis.call('ZCARD', KEYS[1])}
