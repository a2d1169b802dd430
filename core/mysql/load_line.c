/* load_line.c - see load_line.h.
 *
 * Most of what is gathered is numbers and short words, and every byte of it passes here: a
 * text row is walked once, with room for the worst case reserved before, and eight bytes are
 * looked at together.
 */
#include "core/mysql/load_line.h"

#include <assert.h>
#include <stdio.h>

#include "core/mysql/row.h"
#include "core/mysql/wire.h"

enum { FIELD_END = '\t', LINE_END = '\n', ESCAPE = '\\', CELL_IS_NULL = 0xfb };

enum load_form
load_form_of(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_DECIMAL:  case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_TINY:     case MYSQL_TYPE_SHORT:     case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:     case MYSQL_TYPE_LONGLONG:  case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_FLOAT:    case MYSQL_TYPE_DOUBLE:    case MYSQL_TYPE_NULL:
    case MYSQL_TYPE_DATE:     case MYSQL_TYPE_NEWDATE:   case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME: case MYSQL_TYPE_TIMESTAMP:
        return LOAD_FORM_PLAIN;
    default:
        return LOAD_FORM_BYTES;
    }
}

/* --- bytes --------------------------------------------------------------- */

/* Not 0 when some byte of `word` is `byte`. */
static inline uint64_t
has_byte(uint64_t word, uint8_t byte)
{
    uint64_t x = word ^ (UINT64_C(0x0101010101010101) * byte);

    return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
}

static inline bool
has_meaning(uint8_t byte)
{
    return byte == FIELD_END || byte == LINE_END || byte == ESCAPE;
}

/* At most 2 * len bytes. */
static uint8_t *
put_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
    const uint8_t *end = from + len;

    while (from < end) {
        uint64_t word;
        while ((size_t)(end - from) >= sizeof(word)) {
            memcpy(&word, from, sizeof(word));
            if ((has_byte(word, FIELD_END) | has_byte(word, LINE_END) | has_byte(word, ESCAPE)))
                break;
            memcpy(to, &word, sizeof(word));
            from += sizeof(word);
            to += sizeof(word);
        }
        size_t some = (size_t)(end - from) < sizeof(word) ? (size_t)(end - from) : sizeof(word);
        for (; some > 0; some--) {
            if (has_meaning(*from))
                *to++ = ESCAPE;
            *to++ = *from++;
        }
    }
    return to;
}

/* --- moments ------------------------------------------------------------- */

enum { EPOCH_ROOM = 64 };

/* Days since 1970 as a date of the Gregorian calendar: eras of 400 years that begin on 1 March. */
static void
civil_of(int64_t days, struct temporal *t)
{
    int64_t z        = days + 719468;
    int64_t era      = z / 146097;
    int64_t of_era   = z - era * 146097;
    int64_t year     = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year  = of_era - (365 * year + year / 4 - year / 100);
    int64_t month    = (5 * of_year + 2) / 153; /* from March */

    t->day   = (uint8_t)(of_year - (153 * month + 2) / 5 + 1);
    t->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    t->year  = (uint16_t)(year + era * 400 + (t->month <= 2));
}

/* At most EPOCH_ROOM bytes; NULL when it is no number that a TIMESTAMP has. */
static uint8_t *
put_epoch(uint8_t *to, struct span text)
{
    uint64_t        seconds = 0;
    size_t          at      = 0;
    struct temporal t       = { 0 };

    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
        seconds = seconds * 10 + (uint64_t)(text.ptr[at] - '0');
    if (at == 0 || at > 10 || seconds > UINT32_MAX || text.len - at > 7 ||
        (at < text.len && text.ptr[at] != '.'))
        return NULL;
    /* A moment within the first second is one that no TIMESTAMP has. */
    if (seconds != 0)
        civil_of((int64_t)(seconds / 86400), &t);
    seconds %= 86400;
    int len = snprintf((char *)to, EPOCH_ROOM, "%04u-%02u-%02u %02u:%02u:%02u", t.year, t.month,
                       t.day, (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60),
                       (unsigned)(seconds % 60));
    to += len;
    for (size_t i = at; i < text.len; i++) {
        if (i > at && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return NULL;
        *to++ = text.ptr[i];
    }
    return to;
}

static uint8_t *
put_cell(uint8_t *to, enum load_form form, struct span cell)
{
    switch (form) {
    case LOAD_FORM_BYTES: return put_bytes(to, cell.ptr, cell.len);
    case LOAD_FORM_EPOCH: return put_epoch(to, cell);
    case LOAD_FORM_PLAIN:
        memcpy(to, cell.ptr, cell.len);
        return to + cell.len;
    }
    __builtin_unreachable();
}

/* Room for any line of `n` cells with `len` bytes in all. */
static size_t
room_of(const struct load_line *l, size_t len)
{
    return 2 * len + (size_t)l->n * (EPOCH_ROOM + 1) + 1;
}

/* --- text rows ------------------------------------------------------------ */

/* A cell of less than 251 bytes has its length in one, and most are such. */
static inline bool
next_cell(struct cursor *c, struct span *cell, bool *is_null)
{
    if (c->at == c->end)
        return false;
    uint8_t first = *c->at;
    if (first < CELL_IS_NULL && cursor_left(c) > first) {
        *is_null = false;
        *cell    = (struct span){ c->at + 1, first };
        c->at += 1 + first;
        return true;
    }
    *cell = wire_nullable_bytes(c, is_null);
    return !c->bad;
}

bool
load_line_text(const struct load_line *l, struct span row, struct buf *out)
{
    struct cursor c     = cursor_of(row);
    uint8_t      *begin = buf_reserve(out, room_of(l, row.len));
    uint8_t      *to    = begin;
    struct span   cell;
    bool          is_null;

    for (uint32_t i = 0; i < l->n; i++) {
        if (!next_cell(&c, &cell, &is_null))
            return false;
        if (is_null) {
            *to++ = ESCAPE;
            *to++ = 'N';
        } else if (cell.len != 0 && (to = put_cell(to, l->forms[i], cell)) == NULL) {
            return false;
        }
        *to++ = i + 1 < l->n ? FIELD_END : LINE_END;
    }
    if (!cursor_done(&c))
        return false;
    buf_commit(out, (size_t)(to - begin));
    return true;
}

/* --- binary rows ---------------------------------------------------------- */

/* With all digits, and the sign of a zero. */
static bool
put_double(struct span bytes, struct buf *out)
{
    double value;

    if (bytes.len != sizeof(value))
        return false;
    memcpy(&value, bytes.ptr, sizeof(value));
    buf_printf(out, "%.17g", value);
    return true;
}

static bool
put_epoch_cell(const struct load_line *l, uint32_t i, struct buf *out)
{
    const struct cell *cell = &l->cells[i];
    struct buf         text = { 0 };

    if (type_size(l->columns[i].type) == TYPE_LENENC)
        buf_append_span(&text, cell->bytes);
    else if (!cell_to_text(&text, &l->columns[i], *cell))
        return false;
    uint8_t *to  = buf_reserve(out, EPOCH_ROOM);
    uint8_t *end = put_epoch(to, buf_unread(&text));
    buf_fini(&text);
    if (end != NULL)
        buf_commit(out, (size_t)(end - to));
    return end != NULL;
}

static bool
put_binary(const struct load_line *l, uint32_t i, struct buf *out)
{
    const struct cell *cell = &l->cells[i];
    bool               raw  = type_size(l->columns[i].type) == TYPE_LENENC;

    if (cell->is_null) {
        buf_append(out, "\\N", 2);
        return true;
    }
    if (raw && cell->bytes.len == 0)
        return true;
    if (l->forms[i] == LOAD_FORM_EPOCH)
        return put_epoch_cell(l, i, out);
    if (l->columns[i].type == MYSQL_TYPE_DOUBLE)
        return put_double(cell->bytes, out);
    if (!raw)
        return cell_to_text(out, &l->columns[i], *cell);
    uint8_t *to = buf_reserve(out, 2 * cell->bytes.len);
    buf_commit(out, (size_t)(put_cell(to, l->forms[i], cell->bytes) - to));
    return true;
}

bool
load_line_binary(const struct load_line *l, struct span row, struct buf *out)
{
    size_t before = buf_len(out);

    if (!row_binary_decode(row, l->columns, l->n, l->cells))
        return false;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!put_binary(l, i, out)) {
            out->end = out->start + before;
            return false;
        }
        buf_append_byte(out, i + 1 < l->n ? FIELD_END : LINE_END);
    }
    return true;
}
