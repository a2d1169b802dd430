# demo.gp - statements, their 99th percentile, and shards over time; called by demo.py with data,
# out and hot (the limit of a shard).
set terminal svg size 900,700 font "sans,12" background rgb "white"
set output out
set multiplot layout 3,1 title "shardd grows and shrinks by itself"
set grid
set lmargin 10
set xrange [0:*] noextend
set yrange [0:*]
set offsets 0, 0, graph 0.08, 0
set key left top
plot data using 1:2 with lines lw 2 linecolor rgb "#2060a0" title "statements/s", \
     data using 1:(hot * $4) with steps linecolor rgb "#999999" title "limit of all shards"
plot data using 1:3 with lines lw 2 linecolor rgb "#d08030" title "p99, ms"
set yrange [0:5]
set xlabel "seconds"
plot data using 1:4 with steps lw 2 linecolor rgb "#308040" title "shards"
unset multiplot
