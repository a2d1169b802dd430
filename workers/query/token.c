/* token.c - see token.h. */
#include "workers/query/token.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/clock.h"
#include "workers/query/replica.h"
#include "workers/query/seen.h"

/* This start of this host. */
static uint64_t
boot(void)
{
    static uint64_t id;
    char            text[64];

    if (id != 0)
        return id;
    int     fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n  = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
    if (fd >= 0)
        close(fd);
    id = XXH3_64bits(text, n > 0 ? (size_t)n : 0) | 1;
    return id;
}

const char *
token_print(struct session *s)
{
    static char text[TOKEN_TEXT];

    replica_track(s);
    snprintf(text, sizeof(text), "%016" PRIx64 "-%" PRIu64, boot(), seen_us(s->seen));
    return text;
}

bool
token_read(struct span text, uint64_t *us)
{
    char     copy[TOKEN_TEXT];
    uint64_t host, at;
    int      n = 0;

    if (text.len < 18 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (sscanf(copy, "%16" SCNx64 "-%19" SCNu64 "%n", &host, &at, &n) != 2 ||
        (size_t)n != text.len || copy[16] != '-')
        return false;
    *us = host == boot() && at <= clock_us() ? at : UINT64_MAX;
    return true;
}

void
token_take(struct session *s, struct span text)
{
    uint64_t us;

    if (!token_read(text, &us))
        return;
    replica_track(s);
    if (us == UINT64_MAX)
        seen_note_all(s->seen);
    else if (us > s->seen->all_us)
        s->seen->all_us = us;
}
