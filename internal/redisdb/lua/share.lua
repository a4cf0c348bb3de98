-- Exchanges a server's news with those of the others: adds to debts, reads the log, appends to it.
--
-- KEYS  the log (a stream), its name (a string), and a debt for each that is added to (a string: the moment at which it
--       is paid, in microseconds of this server's clock)
-- ARGV  1 the server, 2 the name of the log it knows (empty: none), 3 the last entry it has read of that, 4 a name in case
--       the log is a new one, 5 how many seconds the log is kept, 6 how many entries it has at least when it is cut, 7 how
--       many are read at most, 8 how many microseconds a debt is at most, 9 the number of events, then these, then what is
--       added to each debt in microseconds
-- Returns the log's name, the last entry read, the events of other servers, and the debts in microseconds.
local server, known, last, keep, length, batch, most, events = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[6],
	tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local name = redis.call('GET', KEYS[2])
local news, read = {}, 0
if not name then
	name, last = ARGV[4], '0-0'
	redis.call('SET', KEYS[2], name, 'EX', keep)
elseif name ~= known then
	last = '0-0'
end
if known == '' or name == known then
	local found = redis.call('XREAD', 'COUNT', batch, 'STREAMS', KEYS[1], last)
	for _, entry in ipairs(found and found[1][2] or {}) do
		read, last = read + 1, entry[1]
		if entry[2][2] ~= server then
			news[#news + 1] = entry[2][4]
		end
	end
end
for i = 1, events do
	local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', length, '*', 's', server, 'e', ARGV[9 + i])
	if read < batch then
		last = id
	end
end
if events > 0 then
	redis.call('EXPIRE', KEYS[1], keep)
	redis.call('EXPIRE', KEYS[2], keep)
end

local debts = {}
for from = 3, #KEYS, 1000 do
	local to = math.min(from + 999, #KEYS)
	local paid = redis.call('MGET', unpack(KEYS, from, to))
	for i = from, to do
		local at = math.max(tonumber(paid[i - from + 1] or '') or 0, now)
		local debt = math.min(at - now + ARGV[9 + events + i - 2], most)
		if debt >= 1 then
			redis.call('SET', KEYS[i], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
		end
		debts[i - 2] = math.floor(debt)
	end
end
return {name, last, news, debts}
