/* load_file.c - see load_file.h. */
#include "core/route/load_file.h"

#include "core/route/collation.h"

/* The bytes of one record. Looking behind the last one is an event: either the
 * file ends there or more of it must come first. */
struct scan {
    const struct load_format *f;
    struct span               in;
    size_t                    at;
    bool                      whole, short_of; /* more must come first */
    bool                      line_over; /* nothing of this line is left */
};

enum { AT_END = -1 };

static int
look(struct scan *s, size_t ahead)
{
    if (s->at + ahead < s->in.len)
        return s->in.ptr[s->at + ahead];
    s->short_of |= !s->whole;
    return AT_END;
}

/* Is `mark` what comes, `ahead` bytes from here? */
static bool
comes(struct scan *s, size_t ahead, struct span mark)
{
    if (mark.len == 0)
        return false;
    for (size_t i = 0; i < mark.len; i++)
        if (look(s, ahead + i) != mark.ptr[i])
            return false;
    return true;
}

static bool
has_zero(struct span s)
{
    return s.len != 0 && memchr(s.ptr, 0, s.len) != NULL;
}

bool
load_format_finish(struct load_format *f, uint16_t collation)
{
    enum charset charset = collation_charset(collation);

    if (charset == CHARSET_UNKNOWN || !span_is_ascii(f->field_term) ||
        !span_is_ascii(f->line_term) || !span_is_ascii(f->line_start) ||
        f->enclosed >= 0x80 || f->escape >= 0x80 ||
        (f->field_term.len == 0 && f->enclosed == LOAD_NO_BYTE))
        return false;
    /* A server that has no separator to look for finds 0xff, and reads a zero byte behind. */
    f->stray_zero = f->field_term.len == 0 || f->line_term.len == 0 ||
                    span_equal(f->field_term, f->line_term);
    if (f->stray_zero && (has_zero(f->field_term) || has_zero(f->line_term) ||
                          has_zero(f->line_start) || f->enclosed == 0 || f->escape == 0))
        return false;
    f->one_term = f->line_term.len != 0 && span_equal(f->field_term, f->line_term);
    if (f->one_term)
        f->line_term.len = 0;
    f->charset       = (int)charset;
    f->character_max = charset == CHARSET_UTF8MB4 ? 4 : charset == CHARSET_UTF8MB3 ? 3 : 1;
    memset(f->stops, 0, sizeof(f->stops));
    if (f->field_term.len != 0)
        f->stops[f->field_term.ptr[0]] = 1;
    if (f->line_term.len != 0)
        f->stops[f->line_term.ptr[0]] = 1;
    if (f->enclosed != LOAD_NO_BYTE)
        f->stops[f->enclosed] = 1;
    if (f->escape != LOAD_NO_BYTE)
        f->stops[f->escape] = 1;
    f->stops[0xff] |= f->stray_zero;
    if (f->character_max > 1)
        memset(f->stops + 0x80, 1, 0x80);
    return true;
}

static uint8_t
unescape(int byte, bool *null)
{
    switch (byte) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case '0': return 0;
    case 'Z': return 032;
    case 'N': *null = true; return 'N';
    default:  return (uint8_t)byte;
    }
}

/* Bytes behind the first one, of a character that may be cut off. */
static bool
are_continued(struct span bytes)
{
    for (size_t i = 1; i < bytes.len; i++)
        if ((bytes.ptr[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* How many bytes a server takes for the character that begins here. Behind the last
 * column as many as its first byte says, right or not; in a field a byte that begins
 * no character stands alone, unless the file ends before that is clear. */
static size_t
character(struct scan *s, bool in_field, bool *broken)
{
    const struct load_format *f    = s->f;
    uint8_t                   lead = s->in.ptr[s->at];
    size_t want = lead >= 0xf8 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    size_t n    = 1, used;

    if (want > f->character_max)
        want = 1;
    while (n < want && look(s, n) != AT_END)
        n++;
    struct span bytes = { s->in.ptr + s->at, n };
    uint32_t    code_point;
    bool        right = charset_next((enum charset)f->charset, bytes, &code_point, &used) &&
                 used == n;
    *broken |= !right;
    bool cut_off = n < want && are_continued(bytes);
    return right || cut_off || !in_field ? n : 1;
}

/* A field in the making: a range of the input until something in it is written
 * differently from what it means. */
struct value {
    struct buf *room;    /* NULL: nobody wants it */
    size_t      from;    /* in the input; with `copied` what is not copied yet */
    size_t      room_at;
    size_t      written; /* where the field begins */
    bool        quoted, copied, null, broken;
};

static void
copy_to(struct value *v, const struct scan *s, size_t to)
{
    if (v->room == NULL)
        return;
    v->copied = true;
    buf_append(v->room, s->in.ptr + v->from, to - v->from);
}

/* Without its other end the byte that encloses is one like any other. */
static void
keep_quote(struct value *v, const struct scan *s)
{
    if (!v->copied) {
        v->from--;
        return;
    }
    uint8_t quote = (uint8_t)s->f->enclosed;
    buf_append_byte(v->room, quote);
    uint8_t *first = v->room->bytes + v->room->start + v->room_at;
    memmove(first + 1, first, buf_len(v->room) - v->room_at - 1);
    *first = quote;
}

/* The field ends before `to`; `mark` bytes of quotes and separators follow, the
 * separator's being the last `separator` of them. */
static void
end_field(struct scan *s, struct value *v, bool enclosed, size_t quote, size_t separator,
          struct load_field *out)
{
    size_t to = s->at;

    s->at += quote + separator;
    if (v->room == NULL)
        return;
    if (v->copied)
        copy_to(v, s, to);
    if (v->quoted && !enclosed)
        keep_quote(v, s);
    size_t         len   = v->copied ? buf_len(v->room) - v->room_at : to - v->from;
    const uint8_t *bytes = v->copied ? v->room->bytes + v->room->start + v->room_at
                                     : s->in.ptr + v->from;
    bool           word  = !enclosed && s->f->enclosed != LOAD_NO_BYTE && len == 4 &&
                memcmp(bytes, "NULL", 4) == 0;

    *out = (struct load_field){
        .present = true,
        .null    = word || (v->null && len == 1),
        .broken  = v->broken,
        .value   = { bytes, len },
        .from    = v->written,
        .to      = to + quote,
        .in_room = v->copied,
        .room_at = v->room_at,
    };
}

enum escape { ESCAPE_TAKEN, ESCAPE_LAST, ESCAPE_NOT };

static enum escape
take_escape(struct scan *s, struct value *v)
{
    const struct load_format *f    = s->f;
    int                       next = look(s, 1);

    if (next == AT_END) {
        s->at++; /* it stands for itself */
        return ESCAPE_LAST;
    }
    if (f->escape == f->enclosed && next != f->escape)
        return ESCAPE_NOT;
    copy_to(v, s, s->at);
    uint8_t byte = unescape(next, &v->null);
    v->broken |= byte >= 0x80 && f->character_max > 1;
    if (v->room != NULL)
        buf_append_byte(v->room, byte);
    s->at += 2;
    v->from = s->at;
    return ESCAPE_TAKEN;
}

/* At the byte that encloses, inside of a field that it encloses. */
static bool
take_quote(struct scan *s, struct value *v, struct load_field *out)
{
    const struct load_format *f = s->f;
    int                       next = look(s, 1);

    if (next == AT_END || comes(s, 1, f->line_term)) {
        s->line_over = true;
        end_field(s, v, true, 1, next == AT_END ? 0 : f->line_term.len, out);
        return true;
    }
    if (!comes(s, 1, f->field_term))
        return false;
    end_field(s, v, true, 1, f->field_term.len, out);
    return true;
}

static bool
take_separator(struct scan *s, struct value *v, struct load_field *out)
{
    const struct load_format *f = s->f;

    if (comes(s, 0, f->line_term)) {
        s->line_over = true;
        end_field(s, v, false, 0, f->line_term.len, out);
        return true;
    }
    if (!comes(s, 0, f->field_term))
        return false;
    end_field(s, v, false, 0, f->field_term.len, out);
    return true;
}

/* What stands at `s` is no ordinary byte. True: the field is over. */
static bool
take_stop(struct scan *s, struct value *v, struct load_field *out)
{
    const struct load_format *f    = s->f;
    int                       byte = s->in.ptr[s->at];

    if (byte == f->escape) {
        enum escape escape = take_escape(s, v);
        if (escape == ESCAPE_LAST) {
            s->line_over = true;
            end_field(s, v, false, 0, 0, out);
        }
        if (escape != ESCAPE_NOT)
            return escape == ESCAPE_LAST;
    }
    if (v->quoted && byte == f->enclosed) {
        if (look(s, 1) == f->enclosed) {
            copy_to(v, s, s->at + 1);
            s->at += 2;
            v->from = s->at;
            return false;
        }
        if (take_quote(s, v, out))
            return true;
    } else if (!v->quoted && take_separator(s, v, out)) {
        return true;
    }
    v->broken |= byte == 0xff && f->stray_zero;
    if (f->character_max > 1 && byte >= 0x80)
        s->at += character(s, true, &v->broken);
    else
        s->at++;
    return false;
}

/* False: the line has no such field. `out` and `room` NULL: it is passed over. */
static bool
take_field(struct scan *s, struct load_field *out, struct buf *room)
{
    const struct load_format *f = s->f;
    struct value              v = { .room = room, .written = s->at };

    if (s->line_over || look(s, 0) == AT_END) {
        s->line_over = true;
        return false;
    }
    v.quoted  = s->in.ptr[s->at] == f->enclosed;
    v.room_at = room != NULL ? buf_len(room) : 0;
    s->at += v.quoted;
    v.from = s->at;
    for (;;) {
        const uint8_t *at = s->in.ptr + s->at, *end = s->in.ptr + s->in.len;
        while (at < end && !f->stops[*at])
            at++;
        s->at = (size_t)(at - s->in.ptr);
        if (look(s, 0) == AT_END) {
            s->line_over = true;
            end_field(s, &v, false, 0, 0, out);
            return true;
        }
        if (take_stop(s, &v, out))
            return true;
        if (s->short_of)
            return true;
    }
}

/* To behind the end of the line. False: the file ends first. */
static bool
skip_line(struct scan *s)
{
    const struct load_format *f      = s->f;
    bool                      broken = false;

    for (;;) {
        while (s->at < s->in.len && !f->stops[s->in.ptr[s->at]])
            s->at++;
        int byte = look(s, 0);
        if (byte == AT_END)
            return false;
        if (byte == f->escape) {
            if (look(s, 1) == AT_END) {
                s->at++;
                return false;
            }
            s->at += 2;
        } else if (comes(s, 0, f->line_term)) {
            s->at += f->line_term.len;
            return true;
        } else if (f->character_max > 1 && byte >= 0x80)
            s->at += character(s, false, &broken);
        else
            s->at++;
    }
}

/* False: there is none. */
static bool
find_line_start(struct scan *s)
{
    struct span mark = s->f->line_start;

    for (; mark.len != 0; s->at++) {
        if (look(s, 0) == AT_END)
            return false;
        if (comes(s, 0, mark)) {
            s->at += mark.len;
            return true;
        }
    }
    return true;
}

enum load_status
load_record(const struct load_format *f, struct span in, bool whole, const uint32_t *wanted,
            uint32_t n, struct load_field *fields, struct buf *room, size_t *start, size_t *used)
{
    struct scan s = { .f = f, .in = in, .whole = whole };
    uint32_t    next = 0, column = 0;

    buf_clear(room);
    memset(fields, 0, n * sizeof(*fields));
    if (!find_line_start(&s))
        return s.short_of ? LOAD_MORE : LOAD_END;
    *start = s.at;
    for (; column < f->n_columns && !s.short_of; column++) {
        bool mine = next < n && wanted[next] == column;
        if (!take_field(&s, mine ? &fields[next] : NULL, mine ? room : NULL))
            break;
        next += mine;
    }
    if (column == 0 && f->n_columns != 0 && !s.short_of)
        return LOAD_END;
    if (!s.line_over && f->line_term.len != 0)
        (void)skip_line(&s);
    if (s.short_of)
        return LOAD_MORE;
    for (uint32_t i = 0; i < n; i++)
        if (fields[i].in_room)
            fields[i].value.ptr = room->bytes + room->start + fields[i].room_at;
    *used = s.at;
    return LOAD_RECORD;
}

enum load_status
load_skip_line(const struct load_format *f, struct span in, bool whole, size_t *used)
{
    struct scan s = { .f = f, .in = in, .whole = whole };

    bool found = skip_line(&s);
    if (s.short_of)
        return LOAD_MORE;
    *used = s.at;
    return found ? LOAD_RECORD : LOAD_END;
}
