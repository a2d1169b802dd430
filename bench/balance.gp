# balance.gp - ways of choosing a server, side by side; bench/balance.svg is made by
#   build/release/bench_balance build/balance.dat
#   gnuplot -e "data='build/balance.dat'; out='bench/balance.svg'" bench/balance.gp
set terminal svg size 1100,760 font "sans,12" background rgb "white"
set output out
set multiplot layout 2,1
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set grid ytics
set xtics rotate by -20
set key outside right top
set logscale y
set yrange [0.5:5000]
set title "50 servers as recorded, 4 workers: 99th percentile, ms"
plot data using ($2/1000):xtic(1) title "random" linecolor rgb "#999999", \
     data using ($4/1000) title "round robin" linecolor rgb "#c0a060", \
     data using ($6/1000) title "least connections" linecolor rgb "#d08030", \
     data using ($8/1000) title "two choices (shardd)" linecolor rgb "#2060a0", \
     data using ($10/1000) title "... with a forecast" linecolor rgb "#60a060", \
     data using ($12/1000) title "... knowing the future" linecolor rgb "#a0c0a0"
set yrange [0.001:20]
set title "statements that failed (before they are tried again), % (nothing: none)"
plot data using 3:xtic(1) title "random" linecolor rgb "#999999", \
     data using 5 title "round robin" linecolor rgb "#c0a060", \
     data using 7 title "least connections" linecolor rgb "#d08030", \
     data using 9 title "two choices (shardd)" linecolor rgb "#2060a0"
