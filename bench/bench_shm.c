/* bench_shm.c - how long a new edition takes to reach all workers: from the
 * call that publishes to the last worker's acknowledgement in its slot.
 *
 * Workers are processes; each sleeps in read() on its eventfd, which is poked
 * after publishing, as in production. Medians over many flips.
 */
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/routes_segment.h"
#include "shm/slots.h"

enum { FLIPS = 2000, WORKERS_MAX = 8, BLOB = 64 * 1024 };

static double
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
worker(struct slots *slots, uint32_t number, int poke, const char *instance)
{
    struct routes_segment s;
    struct buf            blob = { 0 };
    struct err            err;
    uint64_t              edition, pokes;
    struct slot          *slot = slots_take(slots, number, &err);

    if (slot == NULL || !routes_segment_open(&s, instance, &err)) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    slot_enter(slot, SLOT_READY);
    while (read(poke, &pokes, sizeof(pokes)) == sizeof(pokes))
        if (routes_segment_read(&s, &blob, &edition, &err) == ROUTES_READ_OK)
            slot_acknowledge(slot, edition, edition, 0);
    _exit(1);
}

static void
measure(uint32_t workers)
{
    static uint8_t        bytes[BLOB];
    static double         took[FLIPS];
    char                  instance[SEGMENT_INSTANCE_MAX];
    struct slots          slots;
    struct routes_segment s;
    struct err            err;
    pid_t                 pid[WORKERS_MAX];
    int                   poke[WORKERS_MAX];

    snprintf(instance, sizeof(instance), "bench-%d", (int)getpid());
    if (!slots_create(&slots, instance, workers, 16, &err) ||
        !routes_segment_create(&s, instance, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (uint32_t i = 0; i < workers; i++) {
        poke[i] = eventfd(0, EFD_CLOEXEC);
        pid[i]  = fork();
        if (pid[i] == 0)
            worker(&slots, i, poke[i], instance);
        while (atomic_load(&slots_at(&slots, i)->life.state) != SLOT_READY)
            usleep(100);
    }
    for (int flip = 0; flip < FLIPS; flip++) {
        bytes[0]++;
        double   start   = now_us();
        uint64_t edition = routes_segment_publish(&s, (struct span){ bytes, BLOB }, &err);
        for (uint32_t i = 0; i < workers; i++)
            eventfd_write(poke[i], 1);
        for (uint32_t i = 0; i < workers; i++)
            while (atomic_load(&slots_at(&slots, i)->life.edition) < edition)
                usleep(1);
        took[flip] = now_us() - start;
    }
    qsort(took, FLIPS, sizeof(took[0]), ascending);
    printf("flip of %d KiB to %u workers: median %.0f us, p99 %.0f us\n", BLOB / 1024,
           workers, took[FLIPS / 2], took[FLIPS * 99 / 100]);
    for (uint32_t i = 0; i < workers; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
        close(poke[i]);
    }
    routes_segment_close(&s);
    slots_close(&slots);
    segment_unlink(SEGMENT_ROUTES, instance);
    segment_unlink(SEGMENT_SLOTS, instance);
}

int
main(void)
{
    for (uint32_t workers = 1; workers <= WORKERS_MAX; workers *= 2)
        measure(workers);
    return 0;
}
