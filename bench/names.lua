-- names.lua - sysbench's point selects of an application that says SET NAMES when it connects.
require("oltp_common")

local connect = thread_init

function thread_init()
   connect()
   con:query("SET NAMES utf8mb4")
end

function prepare_statements()
   sysbench.opt.point_selects = 1
   prepare_point_selects()
end

function event()
   execute_point_selects()
end
