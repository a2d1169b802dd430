# bars.gp - direct, HAProxy and shardd side by side; called by run.py with data, out and what.
set terminal svg size 900,420 font "sans,12" background rgb "white"
set output out
set title what
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set yrange [0:*]
set grid ytics
set key outside right top
plot data using 2:xtic(1) title "direct" linecolor rgb "#999999", \
     data using 3 title "HAProxy" linecolor rgb "#d08030", \
     data using 4 title "shardd" linecolor rgb "#2060a0"
