-- Takes one of a number of attempts within a window from every key, or from none.
--
-- KEYS  a list for each: the moments of attempts, in microseconds of this server's clock
-- ARGV  how many there may be, and the window in microseconds
-- Returns how many the scarcest key has left, and for how many microseconds to wait: 0, they were taken.
--
-- A moment later than now is of a clock that was set back: it counts.
local most, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local left, wait, past = most, 0, {}
for i, key in ipairs(KEYS) do
	local live = {}
	past[i] = {}
	for _, at in ipairs(redis.call('LRANGE', key, 0, -1)) do
		local to = now - at < window and live or past[i]
		to[#to + 1] = at
	end
	left = math.min(left, most - #live - 1)
	if #live >= most then
		wait = math.max(wait, live[#live - most + 1] + window - now)
	end
end
if wait > 0 then
	return {0, math.ceil(math.min(wait, window))}
end
for i, key in ipairs(KEYS) do
	for _, at in ipairs(past[i]) do
		redis.call('LREM', key, 1, at)
	end
	redis.call('RPUSH', key, string.format('%.0f', now))
	redis.call('PEXPIRE', key, math.ceil(window / 1000))
end
return {left, 0}
