/* result.c - see result.h.
 *
 * Bytes arrive cut anywhere. Packets that lie whole in the input are judged in
 * place: rows in a loop of a few instructions, everything else by message().
 * Only a packet that is cut goes through the small buffers of the reader: its
 * header and first byte, which say what it is, and, unless it is a row or a
 * definition, its payload as far as it fits.
 */
#include "core/mysql/result.h"

#include <assert.h>

#include "core/mysql/reply.h"
#include "core/mysql/wire.h"

enum { SEQ_AT = 3 }; /* in a packet's header */

enum { EOF_BYTES = 5 }; /* a longer packet with 0xfe is no EOF */

enum result_shape
result_shape_of(uint8_t command)
{
    switch (command) {
    case COM_QUERY:
    case COM_PROCESS_INFO:
    case COM_STMT_EXECUTE:
    case COM_STMT_BULK_EXECUTE:   return RESULT_QUERY;
    case COM_STMT_PREPARE:        return RESULT_PREPARE;
    case COM_STMT_FETCH:          return RESULT_FETCH;
    case COM_FIELD_LIST:          return RESULT_FIELD_LIST;
    case COM_STATISTICS:          return RESULT_TEXT;
    case COM_QUIT:
    case COM_STMT_CLOSE:
    case COM_STMT_SEND_LONG_DATA: return RESULT_NONE;
    default:                      return RESULT_SIMPLE;
    }
}

static enum result_state
first_state(enum result_shape shape)
{
    switch (shape) {
    case RESULT_QUERY:
    case RESULT_PREPARE:    return RESULT_FIRST;
    case RESULT_FETCH:      return RESULT_ROWS;
    case RESULT_FIELD_LIST: return RESULT_DEFINITIONS;
    case RESULT_SIMPLE:
    case RESULT_TEXT:       return RESULT_ONLY_PACKET;
    case RESULT_NONE:       return RESULT_OVER;
    }
    return RESULT_BROKEN;
}

void
result_init(struct result_reader *r, enum result_shape shape, uint64_t capabilities)
{
    /* `kept` is left as it is: most of the struct, and never read unwritten. */
    memset(r, 0, offsetof(struct result_reader, kept));
    r->capabilities = capabilities;
    r->shape        = shape;
    r->state        = first_state(shape);
    r->next_seq     = 1;
}

/* What a message is by its first byte and the length of its first packet. */
static bool
first_kind(const struct result_reader *r, uint8_t first, enum result_kind *kind)
{
    if (r->shape == RESULT_PREPARE) {
        *kind = RESULT_IS_PREPARED;
        return first == REPLY_OK;
    }
    switch (first) {
    case REPLY_OK:           *kind = RESULT_IS_OK; return true;
    case REPLY_LOCAL_INFILE: *kind = RESULT_IS_LOCAL_INFILE; return true;
    case REPLY_EOF:          return false;
    default:                 *kind = RESULT_IS_COUNT; return true;
    }
}

static bool
only_kind(const struct result_reader *r, uint8_t first, enum result_kind *kind)
{
    if (r->shape == RESULT_TEXT) {
        *kind = RESULT_IS_TEXT;
        return true;
    }
    *kind = first == REPLY_OK ? RESULT_IS_OK : RESULT_IS_END;
    return first == REPLY_OK || first == REPLY_EOF;
}

static bool
message_kind(const struct result_reader *r, uint32_t len, uint8_t first, enum result_kind *kind)
{
    bool ends = first == REPLY_EOF && len < PACKET_PAYLOAD_MAX;

    if (len == 0)
        return false;
    if (first == REPLY_ERR) {
        *kind = RESULT_IS_ERR;
        return r->state != RESULT_OVER && r->state != RESULT_BROKEN;
    }
    switch (r->state) {
    case RESULT_FIRST:       return first_kind(r, first, kind);
    case RESULT_PARAMS:      *kind = RESULT_IS_PARAM; return !ends;
    case RESULT_COLUMNS:     *kind = RESULT_IS_COLUMN; return !ends;
    case RESULT_PARAMS_EOF:
    case RESULT_COLUMNS_EOF: *kind = RESULT_IS_EOF; return ends && len == EOF_BYTES;
    case RESULT_ROWS:        *kind = ends ? RESULT_IS_END : RESULT_IS_ROW; return true;
    case RESULT_DEFINITIONS: *kind = ends ? RESULT_IS_END : RESULT_IS_COLUMN; return true;
    case RESULT_ONLY_PACKET: return only_kind(r, first, kind);
    case RESULT_OVER:
    case RESULT_BROKEN:      return false;
    }
    return false;
}

static bool
is_kept(enum result_kind kind)
{
    return kind != RESULT_IS_ROW && kind != RESULT_IS_COLUMN && kind != RESULT_IS_PARAM;
}

/* After parameter definitions come columns, after columns come rows; whatever
 * has none is passed over. */
static void
enter_columns(struct result_reader *r)
{
    bool eof = !(r->capabilities & CLIENT_DEPRECATE_EOF);

    r->left = r->n_columns;
    if (r->left != 0)
        r->state = RESULT_COLUMNS;
    else
        r->state = r->shape == RESULT_PREPARE ? RESULT_OVER
                   : eof                      ? RESULT_COLUMNS_EOF : RESULT_ROWS;
}

static void
definition_done(struct result_reader *r)
{
    bool eof = !(r->capabilities & CLIENT_DEPRECATE_EOF);

    if (r->state == RESULT_DEFINITIONS) {
        r->n_columns++;
        return;
    }
    if (--r->left != 0)
        return;
    if (r->state == RESULT_PARAMS && eof)
        r->state = RESULT_PARAMS_EOF;
    else if (r->state == RESULT_PARAMS)
        enter_columns(r);
    else if (eof)
        r->state = RESULT_COLUMNS_EOF;
    else
        r->state = r->shape == RESULT_PREPARE ? RESULT_OVER : RESULT_ROWS;
}

/* One result of a chain is complete. */
static void
finish(struct result_reader *r)
{
    r->n_results++;
    r->state = r->shape == RESULT_QUERY && r->status & SERVER_MORE_RESULTS_EXISTS
                   ? RESULT_FIRST : RESULT_OVER;
}

/* An EOF packet has the flag too, without room for what has changed. */
static void
note_change(struct result_reader *r, uint16_t status)
{
    if (r->capabilities & CLIENT_SESSION_TRACK && status & SERVER_SESSION_STATE_CHANGED)
        r->session_changed = true;
}

/* OK packets are not given to reply_ok_decode(), because the end of a long one
 * may not have been kept. */
static bool
apply_ok(struct result_reader *r, struct span payload, bool at_end)
{
    struct cursor c = cursor_of(payload);

    wire_skip(&c, 1);
    uint64_t affected_rows = wire_lenenc(&c), insert_id = wire_lenenc(&c);
    uint16_t status = wire_u16(&c), warnings = wire_u16(&c);
    if (c.bad)
        return false;
    r->status   = status;
    r->warnings = warnings;
    if (!at_end) {
        r->affected_rows += affected_rows;
        r->insert_id = insert_id;
    }
    note_change(r, status);
    finish(r);
    return true;
}

static bool
apply_eof(struct result_reader *r, struct span payload)
{
    struct eof eof;

    if (!reply_eof_decode(payload, &eof))
        return false;
    r->status   = eof.status;
    r->warnings = eof.warnings;
    note_change(r, eof.status);
    return true;
}

static bool
apply_end(struct result_reader *r, struct span payload)
{
    if (r->capabilities & CLIENT_DEPRECATE_EOF && payload.len != EOF_BYTES)
        return apply_ok(r, payload, true);
    if (!apply_eof(r, payload))
        return false;
    finish(r);
    return true;
}

static bool
apply_definitions_eof(struct result_reader *r, struct span payload)
{
    if (!apply_eof(r, payload))
        return false;
    if (r->state == RESULT_PARAMS_EOF)
        enter_columns(r);
    else if (r->shape == RESULT_PREPARE)
        r->state = RESULT_OVER;
    else if (r->cursor && r->status & SERVER_STATUS_CURSOR_EXISTS)
        finish(r); /* the rows wait for COM_STMT_FETCH */
    else
        r->state = RESULT_ROWS;
    return true;
}

static bool
apply_count(struct result_reader *r, struct span payload)
{
    struct cursor c       = cursor_of(payload);
    uint64_t      n       = wire_lenenc(&c);
    bool          defined = true;

    if (r->capabilities & MARIADB_CLIENT_CACHE_METADATA)
        defined = wire_u8(&c) != 0;
    if (!cursor_done(&c) || n == 0 || n > UINT16_MAX)
        return false;
    r->had_rows  = true;
    r->n_columns = defined ? (uint32_t)n : 0;
    enter_columns(r);
    r->n_columns = (uint32_t)n;
    return true;
}

static bool
apply_prepared(struct result_reader *r, struct span payload)
{
    struct prepare_ok ok;

    if (!reply_prepare_decode(payload, &ok))
        return false;
    r->statement_id = ok.statement_id;
    r->n_params     = ok.n_params;
    r->n_columns    = ok.n_columns;
    r->warnings     = ok.warnings;
    r->n_results    = 1;
    r->left         = ok.n_params;
    if (ok.n_params != 0)
        r->state = RESULT_PARAMS;
    else
        enter_columns(r);
    return true;
}

/* A progress report dresses up as an error with an impossible code. */
static bool
is_progress(const struct result_reader *r, struct span payload)
{
    return r->capabilities & MARIADB_CLIENT_PROGRESS && payload.len > 2
           && payload.ptr[1] == 0xff && payload.ptr[2] == 0xff;
}

static bool
apply_err(struct result_reader *r, struct span payload)
{
    if (payload.len < 3)
        return false;
    if (is_progress(r, payload))
        return true;
    r->error = wire_load_u16(payload.ptr + 1);
    r->state = RESULT_OVER;
    return true;
}

/* Learn from a whole message, and move. `payload` is all of it, or its first
 * RESULT_KEEP bytes; rows and definitions need none. */
static bool
apply(struct result_reader *r, enum result_kind kind, struct span payload)
{
    switch (kind) {
    case RESULT_IS_OK:       return apply_ok(r, payload, false);
    case RESULT_IS_ERR:      return apply_err(r, payload);
    case RESULT_IS_COUNT:    return apply_count(r, payload);
    case RESULT_IS_PREPARED: return apply_prepared(r, payload);
    case RESULT_IS_EOF:      return apply_definitions_eof(r, payload);
    case RESULT_IS_END:      return apply_end(r, payload);
    case RESULT_IS_ROW:      r->n_rows++; return true;
    case RESULT_IS_PARAM:
    case RESULT_IS_COLUMN:   definition_done(r); return true;
    case RESULT_IS_TEXT:     finish(r); return true;
    case RESULT_IS_PROGRESS: return true;
    case RESULT_IS_LOCAL_INFILE:
        r->any_seq = true;
        return true;
    }
    return false;
}

static enum result_status
bad(struct result_reader *r)
{
    r->state = RESULT_BROKEN;
    return RESULT_BAD;
}

/* `at`: where the bytes have the packet's number. */
static void
renumber(const struct result_reader *r, const uint8_t *at)
{
    if (r->renumbers && !r->any_seq)
        *(uint8_t *)(uintptr_t)at = r->next_seq;
}

static bool
take_seq(struct result_reader *r, uint8_t seq)
{
    if (!r->any_seq && seq != r->next_seq)
        return false;
    r->any_seq  = false;
    r->next_seq = (uint8_t)(seq + 1);
    return true;
}

static void
keep(struct result_reader *r, const uint8_t *bytes, size_t len)
{
    size_t room = RESULT_KEEP - r->n_kept;

    r->cut = r->cut || len > room;
    memcpy(r->kept + r->n_kept, bytes, len < room ? len : room);
    r->n_kept += (uint32_t)(len < room ? len : room);
}

static void
keep_from_start(struct result_reader *r, struct span payload)
{
    r->n_kept = 0;
    r->cut    = false;
    keep(r, payload.ptr, payload.len);
}

static enum result_status
message_done(struct result_reader *r, enum result_kind kind, struct span payload)
{
    if (!apply(r, kind, payload))
        return bad(r);
    if (r->state == RESULT_OVER)
        return RESULT_DONE;
    return kind == RESULT_IS_LOCAL_INFILE ? RESULT_LOCAL_INFILE : RESULT_MORE;
}

/* Pass over the rows that lie whole in `in` and need no second look. */
static size_t
rows_skip(struct result_reader *r, struct span in)
{
    const uint8_t *p = in.ptr, *end = in.ptr + in.len;
    uint8_t        seq = r->next_seq;
    uint64_t       n   = 0;

    while (end - p > PACKET_HEADER_BYTES) {
        uint32_t header = wire_load_u32(p), len = header & 0xffffff;
        if (header >> 24 != seq || p[PACKET_HEADER_BYTES] >= REPLY_EOF
            || len - 1 >= PACKET_PAYLOAD_MAX - 1 /* empty or full */
            || (size_t)(end - p) - PACKET_HEADER_BYTES < len)
            break;
        p += PACKET_HEADER_BYTES + len;
        seq++;
        n++;
    }
    r->next_seq = seq;
    r->n_rows += n;
    return (size_t)(p - in.ptr);
}

/* A message of one packet that lies whole in `in`? */
static bool
packet_is_whole(const struct result_reader *r, struct span in, struct packet_header *header)
{
    return r->n_header == 0 && r->skip == 0 && !r->midway && packet_peek(in, header)
           && header->len < PACKET_PAYLOAD_MAX && in.len - PACKET_HEADER_BYTES >= header->len;
}

static enum result_status
whole_packet(struct result_reader *r, const struct packet_header *header, const uint8_t *at)
{
    struct span      payload = { at + PACKET_HEADER_BYTES, header->len };
    enum result_kind kind;

    renumber(r, at + SEQ_AT);
    if (!take_seq(r, at[SEQ_AT]) || !message_kind(r, header->len, header->first, &kind))
        return bad(r);
    if (is_kept(kind))
        keep_from_start(r, payload);
    return message_done(r, kind, payload);
}

static enum result_status
packet_done(struct result_reader *r)
{
    struct packet_header header;
    bool                 peeked = packet_peek((struct span){ r->header, sizeof(r->header) },
                                              &header);

    assert(peeked);
    r->n_header = 0;
    r->midway   = header.len == PACKET_PAYLOAD_MAX;
    if (r->midway)
        return RESULT_MORE;
    r->keeping = false;
    return message_done(r, r->kind, (struct span){ r->kept, r->n_kept });
}

/* The header and the first byte of a cut packet are there. */
static enum result_status
packet_open(struct result_reader *r)
{
    struct packet_header header;
    bool peeked = packet_peek((struct span){ r->header, sizeof(r->header) }, &header);

    assert(peeked);
    if (!take_seq(r, header.seq))
        return bad(r);
    if (!r->midway) {
        if (!message_kind(r, header.len, header.first, &r->kind))
            return bad(r);
        r->keeping = is_kept(r->kind);
        if (r->keeping)
            keep_from_start(r, (struct span){ &header.first, 1 });
    } else if (r->keeping && header.len != 0) {
        keep(r, &header.first, 1);
    }
    if (header.len <= 1)
        return packet_done(r);
    r->skip = header.len - 1;
    return RESULT_MORE;
}

/* Bytes that the header of a cut packet still lacks. */
static size_t
header_lacks(const struct result_reader *r)
{
    bool empty = r->header[0] == 0 && r->header[1] == 0 && r->header[2] == 0;

    if (r->n_header < PACKET_HEADER_BYTES)
        return PACKET_HEADER_BYTES - r->n_header;
    return empty ? 0 : sizeof(r->header) - r->n_header;
}

/* Take some bytes of a packet that is cut; `in` is not empty. */
static enum result_status
some_bytes(struct result_reader *r, struct span in, size_t *used)
{
    if (r->skip != 0) {
        *used = in.len < r->skip ? in.len : r->skip;
        if (r->keeping)
            keep(r, in.ptr, *used);
        r->skip -= (uint32_t)*used;
        return r->skip != 0 ? RESULT_MORE : packet_done(r);
    }
    size_t lacks = header_lacks(r);
    *used        = in.len < lacks ? in.len : lacks;
    if (r->n_header <= SEQ_AT && SEQ_AT < r->n_header + *used)
        renumber(r, in.ptr + SEQ_AT - r->n_header);
    memcpy(r->header + r->n_header, in.ptr, *used);
    r->n_header = (uint8_t)(r->n_header + *used);
    return header_lacks(r) != 0 ? RESULT_MORE : packet_open(r);
}

static enum result_status
feed(struct result_reader *r, struct span in, size_t *at)
{
    enum result_status   status = RESULT_MORE;
    struct packet_header header;

    while (*at < in.len && status == RESULT_MORE) {
        size_t used = 0;
        if (r->state == RESULT_ROWS && r->n_header == 0 && r->skip == 0 && !r->midway)
            *at += rows_skip(r, span_from(in, *at));
        if (*at == in.len)
            break;
        if (packet_is_whole(r, span_from(in, *at), &header)) {
            status = whole_packet(r, &header, in.ptr + *at);
            used   = PACKET_HEADER_BYTES + header.len;
        } else {
            status = some_bytes(r, span_from(in, *at), &used);
        }
        *at += used;
    }
    return status;
}

enum result_status
result_feed(struct result_reader *r, struct span in, size_t *used)
{
    *used = 0;
    if (r->state == RESULT_OVER)
        return RESULT_DONE;
    if (r->state == RESULT_BROKEN)
        return RESULT_BAD;
    enum result_status status = feed(r, in, used);
    r->n_bytes += *used;
    return status;
}

enum packet_status
result_next(struct result_reader *r, struct span in, size_t limit, struct buf *joined,
            struct result_message *out)
{
    struct packet_reader  reader = { .next_seq = r->next_seq, .limit = limit };
    struct result_message m;

    assert(r->n_header == 0 && r->skip == 0 && !r->midway);
    if ((r->any_seq || r->renumbers) && in.len >= PACKET_HEADER_BYTES)
        reader.next_seq = in.ptr[SEQ_AT];
    enum packet_status status = message_next(&reader, in, joined, &m.message);
    if (status != PACKET_OK)
        return status;

    struct span payload = m.message.payload;
    uint32_t len = payload.len < PACKET_PAYLOAD_MAX ? (uint32_t)payload.len : PACKET_PAYLOAD_MAX;
    if (!message_kind(r, len, len != 0 ? payload.ptr[0] : 0, &m.kind))
        return PACKET_BAD_SEQ;
    if (is_kept(m.kind))
        keep_from_start(r, payload);
    r->any_seq  = false;
    r->next_seq = reader.next_seq;
    if (!apply(r, m.kind, payload)) {
        r->state = RESULT_BROKEN;
        return PACKET_BAD_SEQ;
    }
    if (m.kind == RESULT_IS_ERR && is_progress(r, payload))
        m.kind = RESULT_IS_PROGRESS;
    r->n_bytes += m.message.used;
    *out = m;
    return PACKET_OK;
}

bool
result_error(const struct result_reader *r, struct sql_error *out)
{
    return r->error != 0 && reply_err_decode((struct span){ r->kept, r->n_kept }, out);
}

struct span
result_last(const struct result_reader *r)
{
    return (struct span){ r->kept, r->cut ? 0 : r->n_kept };
}
