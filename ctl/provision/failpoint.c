/* failpoint.c - see failpoint.h. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/provision/failpoint.h"

enum { FAILPOINT_STATUS = 66 };

static const char     *wanted, *stop_at; /* NULL: none; set once */
static atomic_bool     has_stopped;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
look(void)
{
    wanted  = getenv("SHARDD_FAIL_AT");
    stop_at = getenv("SHARDD_STOP_AT");
}

void
failpoint(const char *name)
{
    pthread_once(&once, look);
    if (wanted && strcmp(wanted, name) == 0)
        _exit(FAILPOINT_STATUS);
    if (stop_at && strcmp(stop_at, name) == 0 && !atomic_exchange(&has_stopped, true))
        raise(SIGSTOP);
}
