/* lost.c - see lost.h. */
#include "ctl/move/lost.h"

#include <stdio.h>
#include <string.h>

bool
lost_is_lock(const struct sql_error *error)
{
    return error->code == 1205 || error->code == 1213; /* lock wait timeout, deadlock */
}

bool
lost_is_passing(const struct sql_error *error)
{
    static const uint16_t codes[] = {
        1040, /* too many connections */
        1053, /* shutdown in progress */
        1105, /* of libmariadb, in server.c */
        1152, 1158, 1159, 1160, 1161, 1184, /* packets and aborted connections */
        1317, /* interrupted */
        1429, 1430, /* of server.h */
        1927, /* connection killed */
        1969, /* statement time */
    };

    if (lost_is_lock(error))
        return true;
    for (size_t i = 0; i < countof(codes); i++)
        if (error->code == codes[i])
            return true;
    return false;
}

/* Also what writes into a temporary file says. */
static bool
is_full(const struct sql_error *error)
{
    return error->code == 1021 || error->code == 1114 ||
           strstr(error->message, "Errcode: 28") != NULL ||
           strstr(error->message, "No space left") != NULL;
}

void
lost_explain(struct sql_error *error, const char *shard)
{
    char words[200];

    if (!is_full(error))
        return;
    snprintf(words, sizeof(words), "%.180s", error->message);
    sql_error_set(error, error->code, "shardd: shard %.64s has no room for what moves there (%s): "
                  "make room on its disk, then start the move again", shard, words);
}
