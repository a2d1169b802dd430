/* latin1.c - see latin1.h. */
#include "core/route/latin1.h"

#include "core/route/collation.h"
#include "core/route/weights.h"

bool
latin1_is(uint16_t collation)
{
    return collation_charset(collation) == CHARSET_LATIN1;
}

bool
ascii_is(uint16_t collation)
{
    return collation_charset(collation) == CHARSET_ASCII;
}

int
latin1_byte(uint32_t code_point)
{
    if (code_point < 0x80 || (code_point >= 0xa0 && code_point <= 0xff))
        return (int)code_point;
    for (int i = 0; i < 32; i++)
        if (weights_latin1_high[i] == code_point)
            return 0x80 + i;
    return -1;
}

bool
latin1_of_utf8(struct span text, struct buf *out)
{
    while (text.len > 0) {
        uint32_t code_point;
        size_t   bytes;
        if (!charset_next(CHARSET_UTF8MB4, text, &code_point, &bytes) ||
            latin1_byte(code_point) < 0)
            return false;
        buf_append_byte(out, (uint8_t)latin1_byte(code_point));
        text = span_from(text, bytes);
    }
    return true;
}
