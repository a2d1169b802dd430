/* hex.c - see hex.h. */
#include "core/base/hex.h"

static char *
put(char *out, struct span bytes, const char *digits)
{
    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = digits[bytes.ptr[i] >> 4];
        *out++ = digits[bytes.ptr[i] & 15];
    }
    *out = '\0';
    return out;
}

char *
hex_lower(char *out, struct span bytes)
{
    return put(out, bytes, "0123456789abcdef");
}

char *
hex_upper(char *out, struct span bytes)
{
    return put(out, bytes, "0123456789ABCDEF");
}
