-- The instant, and the run of the server, which is another after a restart and on a replica.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local info = redis.call('INFO', 'server')
local _, at_run = string.find(info, 'run_id:', 1, true)
local run = at_run and string.match(info, '^%w+', at_run + 1)
if not run then return redis.error_reply('ERR INFO has no run_id, by which a budget notices a restart') end
