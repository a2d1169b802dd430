-- record.lua - sysbench's point selects; each thread writes when each began and how long it took:
-- microseconds of CLOCK_MONOTONIC, into the file $RECORD.<thread>.
require("oltp_common")

local ffi = require("ffi")
ffi.cdef("typedef struct { long s, ns; } shardd_time; int clock_gettime(int, shardd_time *);")

local point = ffi.new("shardd_time[1]")
local from, took, n = {}, {}, 0

local function now_us()
   ffi.C.clock_gettime(1, point)
   return tonumber(point[0].s) * 1000000 + tonumber(point[0].ns) / 1000
end

function prepare_statements()
   sysbench.opt.point_selects = 1
   prepare_point_selects()
end

function event()
   local began = now_us()
   execute_point_selects()
   n = n + 1
   from[n], took[n] = began, now_us() - began
end

function thread_done()
   local file = assert(io.open(os.getenv("RECORD") .. "." .. sysbench.tid, "w"))
   for i = 1, n do
      file:write(string.format("%.0f %.0f\n", from[i], took[i]))
   end
   file:close()
   close_statements()
   con:disconnect()
end
