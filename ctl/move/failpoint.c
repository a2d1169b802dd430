/* failpoint.c - see failpoint.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/move/failpoint.h"

enum { FAILPOINT_STATUS = 66 };

static const char     *wanted; /* NULL: none; set once */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
look(void)
{
    wanted = getenv("SHARDD_FAIL_AT");
}

void
failpoint(const char *name)
{
    pthread_once(&once, look);
    if (wanted && strcmp(wanted, name) == 0)
        _exit(FAILPOINT_STATUS);
}
