/* err.c - see err.h. */
#include "core/base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool
err_set(struct err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return false;
}

/* Only the codes that shardd itself sends. */
static const struct {
    uint16_t code;
    char     state[6];
} states[] = {
    { 1007, "HY000" }, { 1008, "HY000" }, { 1040, "08004" }, { 1042, "08S01" },
    { 1043, "08S01" }, { 1044, "42000" }, { 1045, "28000" }, { 1046, "3D000" },
    { 1047, "08S01" }, { 1048, "23000" }, { 1049, "42000" }, { 1050, "42S01" },
    { 1051, "42S02" }, { 1053, "08S01" }, { 1054, "42S22" }, { 1056, "42000" },
    { 1062, "23000" }, { 1064, "42000" }, { 1065, "42000" }, { 1083, "42000" },
    { 1104, "42000" }, { 1109, "42S02" }, { 1133, "28000" }, { 1136, "21S01" },
    { 1141, "42000" }, { 1142, "42000" }, { 1146, "42S02" }, { 1149, "42000" },
    { 1153, "08S01" }, { 1158, "08S01" }, { 1159, "08S01" }, { 1160, "08S01" },
    { 1161, "08S01" }, { 1172, "42000" }, { 1179, "25000" }, { 1203, "42000" },
    { 1205, "HY000" }, { 1210, "HY000" }, { 1213, "40001" }, { 1222, "21000" },
    { 1226, "42000" }, { 1227, "42000" }, { 1231, "42000" }, { 1232, "42000" },
    { 1235, "42000" }, { 1243, "HY000" }, { 1264, "22003" }, { 1305, "42000" },
    { 1317, "70100" }, { 1323, "42000" }, { 1327, "42000" }, { 1329, "02000" }, { 1366, "22007" },
    { 1399, "XAE07" }, { 1400, "XAE09" }, { 1402, "XA100" }, { 1406, "22001" }, { 1461, "42000" },
    { 1568, "25001" }, { 1792, "25006" }, { 1927, "70100" }, { 1965, "42S02" },
    { 1969, "70100" }, { 1970, "42000" }, { 3159, "08004" }, { 4031, "HY000" },
    { 4092, "42S02" },
};

const char *
sql_state_of(uint16_t code)
{
    for (size_t i = 0; i < countof(states); i++)
        if (states[i].code == code)
            return states[i].state;
    return "HY000";
}

bool
sql_error_set(struct sql_error *error, uint16_t code, const char *fmt, ...)
{
    va_list args;

    error->code = code;
    memcpy(error->sqlstate, sql_state_of(code), sizeof(error->sqlstate));
    va_start(args, fmt);
    vsnprintf(error->message, sizeof(error->message), fmt, args);
    va_end(args);
    return false;
}
