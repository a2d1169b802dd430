-- mirrored.lua - sysbench's oltp_read_write with writes that can be done once more elsewhere.
--
--    sysbench mirrored.lua --folder=F --threads=N ... run               writes F/0, F/1, ...
--    sysbench mirrored.lua --folder=F --threads=N --again=on ... run    the same writes
--
-- Each thread has rows of its own, and what its n-th transaction does follows from n alone: a
-- transaction that fails is done over, and the order among threads does not matter. Each thread
-- writes down how many it has done.
require("oltp_read_write")

sysbench.cmdline.options.folder = { "Where the counts are", "." }
sysbench.cmdline.options.again = { "Only do what is written down there", false }

local transaction, disconnect = event, thread_done
local number, n = 0, 0

local function random(below)
   number = number * 16807 % 2147483647
   return math.floor(number / 2147483647 * below)
end

function sysbench.rand.uniform(from, to)
   return from + random(to - from + 1)
end

function sysbench.rand.default(from, to)
   local threads = sysbench.opt.threads
   return from + random(math.floor((to - from + 1) / threads)) * threads + sysbench.tid
end

local function digits(groups)
   local all = {}
   for i = 1, groups do
      all[i] = string.format("%05d%06d", random(100000), random(1000000))
   end
   return table.concat(all, "-")
end

function execute_non_index_updates()
   local t = sysbench.rand.uniform(1, sysbench.opt.tables)
   param[t].non_index_updates[1]:set(digits(10))
   param[t].non_index_updates[2]:set(sysbench.rand.default(1, sysbench.opt.table_size))
   stmt[t].non_index_updates:execute()
end

function execute_delete_inserts()
   local t = sysbench.rand.uniform(1, sysbench.opt.tables)
   local id = sysbench.rand.default(1, sysbench.opt.table_size)
   param[t].deletes[1]:set(id)
   param[t].inserts[1]:set(id)
   param[t].inserts[2]:set(sysbench.rand.default(1, sysbench.opt.table_size))
   param[t].inserts[3]:set(digits(10))
   param[t].inserts[4]:set(digits(5))
   stmt[t].deletes:execute()
   stmt[t].inserts:execute()
end

local function path(name)
   return sysbench.opt.folder .. "/" .. name
end

-- Whoever reads it, at whatever moment, sees all of it.
local function note(text)
   local name = path(sysbench.tid)
   local file = io.open(name .. ".new", "w")
   file:write(text)
   file:close()
   os.rename(name .. ".new", name)
end

local function one_more()
   number = (sysbench.tid * 1000003 + n * 7919 + 1) % 2147483646 + 1
   random(2)
   transaction()
   n = n + 1
end

-- Not in thread_init: that has only 30 seconds.
function thread_done()
   if sysbench.opt.again then
      local file = io.open(path(sysbench.tid))
      local wanted = file and file:read("*n") or 0
      while n < wanted do
         one_more()
      end
   end
   disconnect()
end

-- Whoever makes the file "stop" and then sees no + any more knows that no transaction is under way.
function event()
   if sysbench.opt.again then
      return
   end
   note(n .. "+")
   if not io.open(path("stop")) then
      one_more()
   end
   note(n)
end
