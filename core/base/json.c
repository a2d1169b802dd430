/* json.c - see json.h. */
#include "core/base/json.h"

/* The length of the UTF-8 character at the beginning; 0: there is none. RFC 3629. */
static size_t
character(struct span s)
{
    uint8_t first = s.ptr[0], low = 0x80, high = 0xbf;
    size_t  len   = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2
                  : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (len == 0 || len > s.len)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xed)
        high = 0x9f; /* no surrogates */
    else if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
        if (s.ptr[i] < low || s.ptr[i] > high)
            return 0;
    return len;
}

static void
escape(struct buf *out, uint8_t c)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2)
        if ((uint8_t)short_forms[i] == c) {
            buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)short_forms[i + 1]);
            return;
        }
    buf_printf(out, "\\u%04x", c);
}

static bool
is_plain(uint8_t c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

void
json_text(struct buf *out, struct span text)
{
    buf_append_byte(out, '"');
    while (text.len != 0) {
        size_t n = 0;
        while (n < text.len && is_plain(text.ptr[n]))
            n++;
        buf_append(out, text.ptr, n);
        text = span_from(text, n);
        if (text.len == 0)
            break;
        size_t len = character(text);
        if (len == 0)
            buf_append_text(out, "\xef\xbf\xbd");
        else if (len == 1 && (text.ptr[0] != 0x7f))
            escape(out, text.ptr[0]);
        else
            buf_append(out, text.ptr, len);
        text = span_from(text, len != 0 ? len : 1);
    }
    buf_append_byte(out, '"');
}
