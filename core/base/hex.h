/* hex.h - bytes as hexadecimal digits, in fixed room; buf.h has the same for buffers. */
#ifndef CORE_BASE_HEX_H
#define CORE_BASE_HEX_H

#include "core/base/base.h"

/* Two digits for each byte, with a-f or A-F, and a NUL behind them, which is returned. */
char *hex_lower(char *out, struct span bytes);
char *hex_upper(char *out, struct span bytes);

#endif
