-- Exchanges a server's news with those of the others: adds to debts, and reads and tells strikes, bans and orders.
--
-- KEYS  1 the name of all this (a string), 2 strikes (a stream), 3 bans (a hash: texts by what they are about), 4 their turns
--       (a sorted set: what they are about, by when it was told), 5 and 6 the same of orders, and a debt for each that is
--       added to (a string: the moment at which it is paid, in microseconds of this server's clock)
-- ARGV  1 the server, 2 the name it knows (empty: none), 3 a name in case there is none, 4 how many seconds all is kept, 5 how
--       many seconds strikes are, 6 how many strikes there are at least when they are cut, 7 how many bans are kept, and
--       orders, 8 how many of each are read at most, 9 how many microseconds a debt is at most, 10 the last strike it has read,
--       11 the last turn of bans, 12 of orders, 13 the number of strikes, 14 of bans, 15 of orders, then these (what a ban or
--       an order is about, then its text), then what is added to each debt in microseconds
-- Returns the name, the last strike and turns read, the news, and the debts in microseconds.
local server, known, name, keep, batch, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[8]), tonumber(ARGV[9])
local last = {ARGV[10], ARGV[11], ARGV[12]}
local arg = 16 -- the next one to read
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- later compares two texts, byte by byte: Lua compares them by the language that this server runs in.
local function later(a, b)
	for i = 1, math.min(#a, #b) do
		if a:byte(i) ~= b:byte(i) then
			return a:byte(i) > b:byte(i)
		end
	end
	return #a > #b
end

local function top(turns)
	return tonumber(redis.call('ZRANGE', turns, -1, -1, 'WITHSCORES')[2] or '0')
end

-- What this server has lost, as a replica does that takes over, others have read.
local current = redis.call('GET', KEYS[1])
if current and not (current == known and (tonumber(last[2]) > top(KEYS[4]) or tonumber(last[3]) > top(KEYS[6]))) then
	name = current
end
redis.call('SET', KEYS[1], name, 'EX', keep)
if name ~= known then
	last = {'0-0', '0', '0'}
end
local reads = known == '' or name == known
local news = {}

local read = 0
if reads then
	local found = redis.call('XREAD', 'COUNT', batch, 'STREAMS', KEYS[2], last[1])
	for _, entry in ipairs(found and found[1][2] or {}) do
		read, last[1] = read + 1, entry[1]
		if entry[2][2] ~= server then
			news[#news + 1] = entry[2][4]
		end
	end
end
for _ = 1, tonumber(ARGV[13]) do
	local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 's', server, 'e', ARGV[arg])
	arg = arg + 1
	if read < batch then
		last[1] = id
	end
	redis.call('EXPIRE', KEYS[2], ARGV[5])
end

for room = 1, 2 do
	local texts, turns = KEYS[1 + 2 * room], KEYS[2 + 2 * room]
	local about = {}
	if reads then
		local found = redis.call('ZRANGEBYSCORE', turns, '(' .. last[1 + room], '+inf', 'WITHSCORES', 'LIMIT', 0, batch)
		for i = 1, #found, 2 do
			about[#about + 1], last[1 + room] = found[i], found[i + 1]
		end
		for _, text in ipairs(#about > 0 and redis.call('HMGET', texts, unpack(about)) or {}) do
			news[#news + 1] = text or nil
		end
	end
	local turn = top(turns)
	for _ = 1, tonumber(ARGV[13 + room]) do
		local what, text = ARGV[arg], ARGV[arg + 1]
		arg = arg + 2
		local stands = redis.call('HGET', texts, what)
		if not stands or later(text, stands) then
			turn = math.max(turn + 1, now)
			redis.call('HSET', texts, what, text)
			redis.call('ZADD', turns, string.format('%.0f', turn), what)
			if #about < batch then
				last[1 + room] = string.format('%.0f', turn)
			end
		end
	end
	local over = redis.call('ZCARD', turns) - ARGV[7]
	while over > 0 do
		local old = redis.call('ZRANGE', turns, 0, math.min(over, 1000) - 1)
		redis.call('HDEL', texts, unpack(old))
		redis.call('ZREM', turns, unpack(old))
		over = over - #old
	end
	redis.call('EXPIRE', texts, keep)
	redis.call('EXPIRE', turns, keep)
end

local debts = {}
for from = 7, #KEYS, 1000 do
	local to = math.min(from + 999, #KEYS)
	local paid = redis.call('MGET', unpack(KEYS, from, to))
	for i = from, to do
		local at = math.max(tonumber(paid[i - from + 1] or '') or 0, now)
		local debt = math.min(at - now + ARGV[arg + i - 7], most)
		if debt >= 1 then
			redis.call('SET', KEYS[i], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
		end
		debts[i - 6] = math.floor(debt)
	end
end
return {name, last, news, debts}
