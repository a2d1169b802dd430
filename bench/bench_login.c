/* bench_login.c - how many connections with login a second.
 *
 *   bench_login PORT USER PASSWORD DATABASE THREADS SECONDS
 *
 * Each thread connects to 127.0.0.1, pings and closes, over and over. Prints the
 * number of connections a second; what fails ends the run with the reason. run.py
 * runs it against each peer.
 */
#include <mariadb/mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/base.h"

enum { THREADS_MAX = 64 };

static char                **arguments;
static atomic_bool           stop;
static atomic_ullong         connected;

static void *
connect_and_close(void *unused)
{
    mysql_thread_init();
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        MYSQL *mysql = mysql_init(NULL);
        if (!mysql_real_connect(mysql, "127.0.0.1", arguments[2], arguments[3], arguments[4],
                                (unsigned)atoi(arguments[1]), NULL, 0) ||
            mysql_ping(mysql) != 0) {
            fprintf(stderr, "bench_login: %s\n", mysql_error(mysql));
            exit(1);
        }
        mysql_close(mysql);
        atomic_fetch_add_explicit(&connected, 1, memory_order_relaxed);
    }
    mysql_thread_end();
    return unused;
}

int
main(int argc, char **argv)
{
    pthread_t       threads[THREADS_MAX];
    struct timespec start, end, pause = { 0 };
    int             n;

    if (argc != 7) {
        fprintf(stderr, "bench_login PORT USER PASSWORD DATABASE THREADS SECONDS\n");
        return argc == 1 ? 0 : 2;
    }
    arguments    = argv;
    n            = atoi(argv[5]) < THREADS_MAX ? atoi(argv[5]) : THREADS_MAX;
    pause.tv_sec = atoi(argv[6]);
    mysql_library_init(0, NULL, NULL);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, connect_and_close, NULL);
    nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f\n", (double)atomic_load(&connected) /
                         ((double)(end.tv_sec - start.tv_sec) +
                          (double)(end.tv_nsec - start.tv_nsec) / 1e9));
    return 0;
}
