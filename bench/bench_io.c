/* bench_io.c - an echo server on the ring against one on epoll.
 *
 *   bench_io [connections [bytes [seconds [zerocopy_bytes]]]]
 *
 * Each server is a child process; the load is the same epoll client for both.
 * `bench_io serve PORT [seconds]` serves alone, for strace and perf.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/io/listener.h"
#include "core/io/stream.h"

enum { EVENTS = 256, CHUNK = 65536 };

static struct ring *ring;
static uint8_t      chunk[1 << 20];

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- the ring's server --- */

static void
echo_data(struct stream *s)
{
    struct span unread = stream_unread(s);

    stream_write(s, unread);
    stream_consume(s, unread.len);
}

static void
echo_end(struct stream *s, int error)
{
    (void)error;
    stream_close(s, STREAM_CLOSE_NOW, 0);
}

static void
echo_closed(struct stream *s)
{
    free(s);
}

static const struct stream_ops echo_ops = {
    .on_data = echo_data, .on_end = echo_end, .on_closed = echo_closed
};

static void
accepted(struct listener *l, struct ring_file file, const struct sock_addr *peer)
{
    struct stream *s = mem_alloc(sizeof(*s));

    (void)peer;
    stream_open(s, l->ring, file, &echo_ops);
}

static void
serve_ring(int fd, unsigned zerocopy_bytes, double until)
{
    struct ring_config config = { .n_files = 12288, .zerocopy_bytes = zerocopy_bytes };
    struct listener    listener;
    struct err         err;

    sock_raise_nofile(16384);
    if (!ring_open(&ring, &config, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    listener_open(&listener, ring, fd, false, accepted, NULL);
    while (now_s() < until)
        if (ring_turn(ring, 100) < 0)
            die("ring_turn");
    const struct ring_stats *stats = ring_stats(ring);
    printf("    %.1f completions, %.1f sends a turn; %.3f enters a turn\n",
           (double)stats->completions / (double)stats->turns,
           (double)(stats->sends + stats->zerocopy_sends) / (double)stats->turns,
           (double)stats->enters / (double)stats->turns);
}

/* --- epoll's --- */

static void
watch(int ep, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void
echo_once(int fd)
{
    ssize_t got = recv(fd, chunk, CHUNK, MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN))
        close(fd);
    for (ssize_t sent = 0, n; sent < got; sent += n)
        if ((n = send(fd, chunk + sent, (size_t)(got - sent), MSG_NOSIGNAL)) < 0)
            return;
}

static void
serve_epoll(int listening, double until)
{
    struct epoll_event events[EVENTS];
    int                ep = epoll_create1(0);

    watch(ep, listening);
    while (now_s() < until) {
        int n = epoll_wait(ep, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listening)
                watch(ep, accept(listening, NULL, NULL));
            else
                echo_once(events[i].data.fd);
        }
    }
}

/* --- the load --- */

static double
load(const struct sock_addr *addr, int connections, size_t bytes, double seconds)
{
    struct epoll_event events[EVENTS];
    int                ep    = epoll_create1(0);
    size_t            *open  = mem_alloc(65536 * sizeof(*open)); /* bytes awaited, by fd */
    uint64_t           trips = 0;

    for (int i = 0; i < connections; i++) {
        int fd = sock_open(addr);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&addr->addr, addr->len) != 0)
            die("connect");
        watch(ep, fd);
        open[fd] = bytes;
        if (send(fd, chunk, bytes, 0) != (ssize_t)bytes)
            die("send");
    }
    double begin = now_s(), end = begin + seconds;
    while (now_s() < end) {
        int n = epoll_wait(ep, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            int     fd  = events[i].data.fd;
            ssize_t got = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
            if (got <= 0)
                die("recv");
            open[fd] -= (size_t)got;
            if (open[fd] != 0)
                continue;
            open[fd] = bytes;
            trips++;
            if (send(fd, chunk, bytes, 0) != (ssize_t)bytes)
                die("send");
        }
    }
    free(open);
    return (double)trips / (now_s() - begin);
}

static int
listen_on(const char *text, struct sock_addr *addr)
{
    struct err err;
    int        fd = -1;

    if (!sock_parse(addr, text, 0, &err) ||
        (fd = sock_listen(addr, &(struct sock_listen_options){ 0 }, &err)) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    sock_local(fd, addr);
    return fd;
}

static void
measure(const char *name, bool on_ring, int connections, size_t bytes, double seconds,
        unsigned zerocopy_bytes)
{
    struct sock_addr addr;
    struct rusage    before, after;
    int              fd = listen_on("127.0.0.1:0", &addr);

    getrusage(RUSAGE_CHILDREN, &before);
    pid_t pid = fork();
    if (pid == 0) {
        double until = now_s() + seconds + 0.3;
        if (on_ring)
            serve_ring(fd, zerocopy_bytes, until);
        else
            serve_epoll(fd, until);
        fflush(stdout);
        _exit(0);
    }
    double rate = load(&addr, connections, bytes, seconds);
    waitpid(pid, NULL, 0);
    getrusage(RUSAGE_CHILDREN, &after);
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
                 (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
                 (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%-6s %9.0f round trips/s, %6.2f us of server CPU each\n", name, rate,
           cpu / (rate * seconds) * 1e6);
    fflush(stdout);
    close(fd);
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 2 && strcmp(argv[1], "serve") == 0) {
        struct sock_addr addr;
        char             text[32];
        snprintf(text, sizeof(text), "127.0.0.1:%s", argv[2]);
        serve_ring(listen_on(text, &addr), 0, now_s() + (argc > 3 ? atof(argv[3]) : 3600));
        return 0;
    }
    int      connections = argc > 1 ? atoi(argv[1]) : 64;
    size_t   bytes       = argc > 2 ? (size_t)atol(argv[2]) : 100;
    double   seconds     = argc > 3 ? atof(argv[3]) : 2;
    unsigned zerocopy    = argc > 4 ? (unsigned)atoi(argv[4]) : 0;

    measure("epoll", false, connections, bytes, seconds, 0);
    measure("ring", true, connections, bytes, seconds, 0);
    if (zerocopy > 0)
        measure("ringzc", true, connections, bytes, seconds, zerocopy);
    return 0;
}
