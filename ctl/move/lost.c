/* lost.c - see lost.h. */
#include "ctl/move/lost.h"

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
