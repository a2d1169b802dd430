/* timer.h - something to call later, without asking the kernel.
 *
 * A hierarchical wheel: seven levels of 64 slots; a slot of level n is 64^n ms
 * wide and is spread over the levels below when its time begins. Starting and
 * stopping is O(1); a bitmap per level finds the next due slot, so
 * timers that wait cost nothing per turn. Resolution: 1 ms; a timer never fires
 * early by the owner's clock (of a ring: ring_now_ms(), as old as the turn).
 * The wheel knows no clock itself: the ring, or a test, tells it the time.
 */
#ifndef CORE_IO_TIMER_H
#define CORE_IO_TIMER_H

#include "core/base/base.h"
#include "core/base/list.h"

struct timer;

/* Called from timers_expire() (that is: from ring_turn()), after the timer was
 * taken off the wheel: it may start itself again, stop others, free itself. */
typedef void timer_fire(struct timer *timer);

/* Embedded by its owner. All zeroes is a stopped timer. */
struct timer {
    struct list node; /* node.next == NULL: stopped */
    uint64_t    due_ms;
    timer_fire *fire;
};

enum { TIMER_LEVELS = 7, TIMER_SLOTS = 64 };

struct timers {
    uint64_t    now_ms;  /* the owner's clock, for timer_start() */
    uint64_t    done_ms; /* everything due up to here has fired */
    uint64_t    occupied[TIMER_LEVELS]; /* one bit per slot */
    struct list slot[TIMER_LEVELS][TIMER_SLOTS];
    struct list overdue; /* started with a time that is already done */
    size_t      count;
};

/* Must stay where it is from now on. */
void timers_init(struct timers *timers, uint64_t now_ms);

/* Fire in `ms` from timers->now_ms on; a running timer is moved. 0 fires at
 * the end of this turn or in the next one, which does not sleep. */
void timer_start(struct timers *timers, struct timer *timer, uint64_t ms, timer_fire *fire);

/* Nothing when it is not running. */
void timer_stop(struct timers *timers, struct timer *timer);

static inline bool
timer_running(const struct timer *timer)
{
    return timer->node.next != NULL;
}

/* How long one may sleep from `now_ms` on without being late: 0 when something
 * is due, UINT64_MAX when nothing runs. May be earlier than the first timer
 * (the edge of a wide slot), never later. */
uint64_t timers_sleep_ms(const struct timers *timers, uint64_t now_ms);

/* Fires what is due, in the order of due time (1 ms apart; within one ms in
 * the order of starting when they were started at the same distance). */
void timers_expire(struct timers *timers, uint64_t now_ms);

#endif
