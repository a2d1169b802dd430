/* binlog_rows.c - see binlog_rows.h. */
#include "core/mysql/binlog_rows.h"

#include "core/mysql/wire.h"

/* What an event's type means for its rows. */
struct layout {
    enum binlog_change change;
    bool extra;  /* a second version: bytes of unknown use in the fixed part */
    bool packed;
};

static bool
layout_of(uint8_t type, struct layout *out)
{
    switch ((int)type) {
    case BINLOG_WRITE_ROWS_V1:         *out = (struct layout){ BINLOG_INSERT, 0, 0 }; break;
    case BINLOG_UPDATE_ROWS_V1:        *out = (struct layout){ BINLOG_UPDATE, 0, 0 }; break;
    case BINLOG_DELETE_ROWS_V1:        *out = (struct layout){ BINLOG_DELETE, 0, 0 }; break;
    case BINLOG_WRITE_ROWS:            *out = (struct layout){ BINLOG_INSERT, 1, 0 }; break;
    case BINLOG_UPDATE_ROWS:           *out = (struct layout){ BINLOG_UPDATE, 1, 0 }; break;
    case BINLOG_DELETE_ROWS:           *out = (struct layout){ BINLOG_DELETE, 1, 0 }; break;
    case BINLOG_WRITE_ROWS_PACKED_V1:  *out = (struct layout){ BINLOG_INSERT, 0, 1 }; break;
    case BINLOG_UPDATE_ROWS_PACKED_V1: *out = (struct layout){ BINLOG_UPDATE, 0, 1 }; break;
    case BINLOG_DELETE_ROWS_PACKED_V1: *out = (struct layout){ BINLOG_DELETE, 0, 1 }; break;
    case BINLOG_WRITE_ROWS_PACKED:     *out = (struct layout){ BINLOG_INSERT, 1, 1 }; break;
    case BINLOG_UPDATE_ROWS_PACKED:    *out = (struct layout){ BINLOG_UPDATE, 1, 1 }; break;
    case BINLOG_DELETE_ROWS_PACKED:    *out = (struct layout){ BINLOG_DELETE, 1, 1 }; break;
    default:                           return false;
    }
    return true;
}

/* The table's number, 4 bytes in logs of long ago and 6 since, and the flags. */
static bool
read_fixed(const struct binlog_event *e, bool extra, struct cursor *c, struct binlog_rows *r)
{
    uint8_t least = extra ? 10 : 8;

    if (e->fixed < least)
        return false;
    uint64_t low = wire_u32(c);
    r->table_id  = low | (uint64_t)wire_u16(c) << 32;
    r->flags     = wire_u16(c);
    wire_skip(c, (size_t)(e->fixed - least));
    if (extra) {
        uint16_t len = wire_u16(c); /* counts itself */
        if (len < 2)
            return false;
        wire_skip(c, len - 2u);
    }
    return !c->bad;
}

static bool
all_set(struct span bitmap, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!binlog_bit(bitmap, i))
            return false;
    return true;
}

bool
binlog_rows_read(const struct binlog_event *e, struct buf *room, struct binlog_rows *out)
{
    struct cursor      c = cursor_of(e->body);
    struct binlog_rows r = { 0 };
    struct layout      layout;

    buf_clear(room);
    if (!layout_of(e->type, &layout) || !read_fixed(e, layout.extra, &c, &r))
        return false;
    r.change   = layout.change;
    uint64_t n = wire_lenenc(&c);
    if (c.bad || n > UINT16_MAX)
        return false;
    r.n_columns = (uint32_t)n;
    r.before    = wire_bytes(&c, (n + 7) / 8);
    r.after     = r.change == BINLOG_UPDATE ? wire_bytes(&c, (n + 7) / 8) : r.before;
    r.images    = wire_rest(&c);
    if (c.bad)
        return false;
    r.full = all_set(r.before, r.n_columns) && all_set(r.after, r.n_columns);
    if (layout.packed && r.images.len != 0) {
        if (!binlog_unpack(r.images, room))
            return false;
        r.images = buf_unread(room);
    }
    *out = r;
    return true;
}

/* The bytes of the image at the front of `bytes`; 0: it does not end there. */
static size_t
image_bytes(const struct binlog_table *t, struct span bytes)
{
    size_t at = (t->n_columns + 7u) / 8;

    if (bytes.len < at)
        return 0;
    for (uint32_t i = 0; i < t->n_columns; i++) {
        if (binlog_bit(bytes, i))
            continue;
        size_t n = binlog_value_bytes(&t->columns[i], span_from(bytes, at));
        if (n == 0)
            return 0;
        at += n;
    }
    return at;
}

static bool
take_image(struct binlog_rows *rows, const struct binlog_table *t, struct span *out)
{
    size_t n = image_bytes(t, rows->images);

    if (n == 0)
        return false;
    *out         = (struct span){ rows->images.ptr, n };
    rows->images = span_from(rows->images, n);
    return true;
}

enum binlog_step
binlog_rows_next(struct binlog_rows *rows, const struct binlog_table *t, struct binlog_row *out)
{
    struct binlog_row row = { 0 };

    if (rows->images.len == 0)
        return BINLOG_END;
    if (!rows->full || rows->n_columns != t->n_columns)
        return BINLOG_BAD;
    if (rows->change != BINLOG_INSERT && !take_image(rows, t, &row.before))
        return BINLOG_BAD;
    if (rows->change != BINLOG_DELETE && !take_image(rows, t, &row.after))
        return BINLOG_BAD;
    *out = row;
    return BINLOG_ROW;
}

void
binlog_image_init(struct binlog_image *it, const struct binlog_table *t, struct span image)
{
    size_t nulls = (t->n_columns + 7u) / 8;

    *it = (struct binlog_image){ .table = t, .next = t->n_columns };
    if (image.len < nulls)
        return;
    it->nulls = (struct span){ image.ptr, nulls };
    it->rest  = span_from(image, nulls);
    it->next  = 0;
}

bool
binlog_image_next(struct binlog_image *it, struct binlog_value *out)
{
    if (it->next == it->table->n_columns)
        return false;
    struct binlog_value v = { .column = &it->table->columns[it->next], .index = it->next };

    v.is_null = binlog_bit(it->nulls, it->next);
    if (!v.is_null) {
        size_t n      = binlog_value_bytes(v.column, it->rest);
        size_t prefix = v.column->shape == BINLOG_SHAPE_PREFIXED ? v.column->size : 0;
        if (n == 0)
            return false;
        v.bytes  = (struct span){ it->rest.ptr, n };
        v.data   = span_from(v.bytes, prefix);
        it->rest = span_from(it->rest, n);
    }
    it->next++;
    *out = v;
    return true;
}

bool
binlog_image_value(const struct binlog_table *t, struct span image, uint32_t index,
                   struct binlog_value *out)
{
    struct binlog_image it;
    struct binlog_value v;

    binlog_image_init(&it, t, image);
    while (binlog_image_next(&it, &v)) {
        if (v.index != index)
            continue;
        *out = v;
        return true;
    }
    return false;
}
