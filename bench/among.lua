-- One row's sum, and now and then that of all rows: the same statement but for a number.
require("oltp_common")

function prepare_statements()
end

function event()
   local id   = sysbench.rand.default(1, sysbench.opt.table_size)
   local last = sysbench.rand.uniform(1, 500) == 1 and sysbench.opt.table_size or id
   con:query(string.format("SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN %d AND %d",
                           last == id and id or 1, last))
end
