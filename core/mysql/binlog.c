/* binlog.c - see binlog.h: the header, the format, and events without rows. */
#include "core/mysql/binlog.h"

#include <zlib.h>

#include "core/mysql/wire.h"

enum {
    VERSION_BYTES  = 50,     /* of the server, in FORMAT_DESCRIPTION */
    FORMAT_FIXED   = 2 + VERSION_BYTES + 4 + 1,
    FORMAT_VERSION = 4,      /* since MySQL 5.0 */
    GTID_FIXED     = 19,
    GTID_ENTRY     = 16,
    GTID_COUNT     = 0x0fffffff, /* the bits above are flags */
    PACKED_MARK    = 0x80,
    INFLATE_RATIO  = 1032,   /* more than this many bytes never come from one (zlib's own limit) */
};

const char *
binlog_status_text(enum binlog_status status)
{
    switch (status) {
    case BINLOG_GOOD:      return "it is good";
    case BINLOG_MALFORMED: return "its lengths do not fit together";
    case BINLOG_DAMAGED:   return "its checksum is wrong";
    case BINLOG_UNKNOWN:   return "it is of a type that shardd does not know";
    case BINLOG_ENCRYPTED: return "the log is encrypted";
    case BINLOG_LOST:      return "the server says that changes are missing in its log";
    case BINLOG_TOO_OLD:   return "it was written by a server that is too old";
    }
    return "";
}

/* Fixed parts that servers without a say have; those of FORMAT_DESCRIPTION replace them. */
void
binlog_format_init(struct binlog_format *f, bool checksums)
{
    *f = (struct binlog_format){
        .checksums = checksums,
        .header_bytes = BINLOG_HEADER_BYTES,
        .fixed = {
            [BINLOG_QUERY] = 13, [BINLOG_QUERY_COMPRESSED] = 13, [BINLOG_ROTATE] = 8,
            [BINLOG_TABLE_MAP] = 8, [BINLOG_GTID] = GTID_FIXED, [BINLOG_GTID_LIST] = 4,
            [BINLOG_WRITE_ROWS_V1] = 8, [BINLOG_UPDATE_ROWS_V1] = 8,
            [BINLOG_DELETE_ROWS_V1] = 8, [BINLOG_WRITE_ROWS] = 10, [BINLOG_UPDATE_ROWS] = 10,
            [BINLOG_DELETE_ROWS] = 10, [BINLOG_WRITE_ROWS_PACKED_V1] = 8,
            [BINLOG_UPDATE_ROWS_PACKED_V1] = 8, [BINLOG_DELETE_ROWS_PACKED_V1] = 8,
            [BINLOG_WRITE_ROWS_PACKED] = 10, [BINLOG_UPDATE_ROWS_PACKED] = 10,
            [BINLOG_DELETE_ROWS_PACKED] = 10,
        },
    };
}

/* The checksum is of the event as it was while its file was not in use. */
static bool
checksum_good(struct span raw, uint8_t type)
{
    size_t      len  = raw.len - BINLOG_CHECKSUM_BYTES;
    uint8_t     head[BINLOG_HEADER_BYTES];

    memcpy(head, raw.ptr, sizeof(head));
    if (type == BINLOG_FORMAT_DESCRIPTION)
        head[17] &= (uint8_t)~BINLOG_F_IN_USE;
    unsigned long crc = crc32(0, head, sizeof(head));
    crc = crc32_z(crc, raw.ptr + sizeof(head), len - sizeof(head));
    return crc == wire_load_u32(raw.ptr + len);
}

/* The byte before its checksum says whether the log has checksums; its own is always there. */
static enum binlog_status
read_format(struct binlog_format *f, const struct binlog_event *e)
{
    struct cursor        c   = cursor_of(e->body);
    struct binlog_format new = { .known = true };

    uint16_t    version = wire_u16(&c);
    struct span server  = wire_bytes(&c, VERSION_BYTES);
    wire_skip(&c, 4);
    new.header_bytes = wire_u8(&c);
    struct span fixed = wire_rest(&c);
    if (c.bad || fixed.len < BINLOG_FORMAT_DESCRIPTION + 1)
        return version != 0 && version < FORMAT_VERSION ? BINLOG_TOO_OLD : BINLOG_MALFORMED;
    if (version != FORMAT_VERSION)
        return BINLOG_TOO_OLD;
    uint8_t algorithm = fixed.ptr[--fixed.len];
    if (new.header_bytes < BINLOG_HEADER_BYTES || algorithm > 1 || fixed.len >= BINLOG_TYPES)
        return BINLOG_MALFORMED;
    new.checksums = algorithm == 1;
    memcpy(new.fixed + 1, fixed.ptr, fixed.len);
    memcpy(new.server_version, server.ptr, VERSION_BYTES);
    if (new.checksums && !checksum_good(e->raw, e->type))
        return BINLOG_DAMAGED;
    *f = new;
    return BINLOG_GOOD;
}

static enum binlog_status
kind_of(uint8_t type, uint16_t flags, enum binlog_kind *kind)
{
    switch ((enum binlog_type)type) {
    case BINLOG_GTID:               *kind = BINLOG_KIND_GTID; break;
    case BINLOG_QUERY:
    case BINLOG_QUERY_COMPRESSED:   *kind = BINLOG_KIND_QUERY; break;
    case BINLOG_TABLE_MAP:          *kind = BINLOG_KIND_TABLE_MAP; break;
    case BINLOG_WRITE_ROWS_V1:      case BINLOG_UPDATE_ROWS_V1:
    case BINLOG_DELETE_ROWS_V1:     case BINLOG_WRITE_ROWS:
    case BINLOG_UPDATE_ROWS:        case BINLOG_DELETE_ROWS:
    case BINLOG_WRITE_ROWS_PACKED_V1:  case BINLOG_WRITE_ROWS_PACKED:
    case BINLOG_UPDATE_ROWS_PACKED_V1: case BINLOG_UPDATE_ROWS_PACKED:
    case BINLOG_DELETE_ROWS_PACKED_V1: case BINLOG_DELETE_ROWS_PACKED:
        *kind = BINLOG_KIND_ROWS; break;
    case BINLOG_XID:                *kind = BINLOG_KIND_XID; break;
    case BINLOG_XA_PREPARE:         *kind = BINLOG_KIND_XA_PREPARE; break;
    case BINLOG_ROTATE:             *kind = BINLOG_KIND_ROTATE; break;
    case BINLOG_GTID_LIST:          *kind = BINLOG_KIND_GTID_LIST; break;
    case BINLOG_HEARTBEAT:          *kind = BINLOG_KIND_HEARTBEAT; break;
    case BINLOG_INTVAR:             case BINLOG_RAND: case BINLOG_USER_VAR:
    case BINLOG_BEGIN_LOAD_QUERY:   case BINLOG_EXECUTE_LOAD_QUERY:
        *kind = BINLOG_KIND_STATEMENT; break;
    case BINLOG_FORMAT_DESCRIPTION: case BINLOG_STOP: case BINLOG_ANNOTATE:
    case BINLOG_CHECKPOINT:         case BINLOG_IGNORABLE:
        *kind = BINLOG_KIND_SKIP; break;
    case BINLOG_START_V3:           return BINLOG_TOO_OLD;
    case BINLOG_START_ENCRYPTION:   return BINLOG_ENCRYPTED;
    case BINLOG_INCIDENT:           return BINLOG_LOST;
    default:
        *kind = BINLOG_KIND_SKIP;
        return flags & BINLOG_F_IGNORABLE ? BINLOG_GOOD : BINLOG_UNKNOWN;
    }
    return BINLOG_GOOD;
}

enum binlog_status
binlog_read(struct binlog_format *f, struct span raw, struct binlog_event *out)
{
    struct cursor       c = cursor_of(raw);
    struct binlog_event e = { .raw = raw };

    e.timestamp     = wire_u32(&c);
    e.type          = wire_u8(&c);
    e.server_id     = wire_u32(&c);
    uint32_t length = wire_u32(&c);
    e.end           = wire_u32(&c);
    e.flags         = wire_u16(&c);
    bool   format   = e.type == BINLOG_FORMAT_DESCRIPTION;
    size_t header   = format ? BINLOG_HEADER_BYTES : f->header_bytes;
    size_t tail     = format || f->checksums ? BINLOG_CHECKSUM_BYTES : 0;

    if (c.bad || length != raw.len || raw.len < header + tail)
        return BINLOG_MALFORMED;
    e.body = (struct span){ raw.ptr + header, raw.len - header - tail };
    if (!format && tail != 0 && !checksum_good(raw, e.type))
        return BINLOG_DAMAGED;
    enum binlog_status status = kind_of(e.type, e.flags, &e.kind);
    if (status == BINLOG_GOOD && format)
        status = read_format(f, &e);
    if (status != BINLOG_GOOD)
        return status;
    e.fixed = f->fixed[e.type];
    *out    = e;
    return BINLOG_GOOD;
}

bool
binlog_rotate_read(const struct binlog_event *e, struct binlog_rotate *out)
{
    struct cursor c = cursor_of(e->body);

    struct binlog_rotate r = { .position = wire_u64(&c) };
    r.file = wire_rest(&c);
    if (e->type != BINLOG_ROTATE || c.bad || r.file.len == 0)
        return false;
    *out = r;
    return true;
}

static bool
xid_bytes(struct cursor *c, uint32_t gtrid, uint32_t bqual, struct binlog_xid *x)
{
    x->gtrid = wire_bytes(c, gtrid);
    x->bqual = wire_bytes(c, bqual);
    return !c->bad && gtrid <= BINLOG_XID_BYTES / 2 && bqual <= BINLOG_XID_BYTES / 2
           && gtrid + bqual > 0;
}

/* What newer servers add behind it is not looked at: it tells replicas how to run things in
 * parallel. */
bool
binlog_gtid_read(const struct binlog_event *e, struct binlog_gtid *out)
{
    struct cursor      c = cursor_of(e->body);
    struct binlog_gtid g = { .server_id = e->server_id };

    g.sequence = wire_u64(&c);
    g.domain   = wire_u32(&c);
    g.flags    = wire_u8(&c);
    if (e->type != BINLOG_GTID || e->body.len < GTID_FIXED)
        return false;
    if (g.flags & BINLOG_GTID_GROUP_COMMIT)
        g.commit_id = wire_u64(&c);
    if (g.flags & (BINLOG_GTID_PREPARED_XA | BINLOG_GTID_COMPLETED_XA)) {
        g.xid.format   = wire_u32(&c);
        uint32_t gtrid = wire_u8(&c);
        uint32_t bqual = wire_u8(&c);
        if (!xid_bytes(&c, gtrid, bqual, &g.xid))
            return false;
    }
    if (c.bad)
        return false;
    *out = g;
    return true;
}

bool
binlog_gtid_list_read(const struct binlog_event *e, struct binlog_gtid_list *out)
{
    struct cursor c = cursor_of(e->body);

    struct binlog_gtid_list list = { .n = wire_u32(&c) & GTID_COUNT };
    list.entries = wire_bytes(&c, (size_t)list.n * GTID_ENTRY);
    if (e->type != BINLOG_GTID_LIST || c.bad)
        return false;
    *out = list;
    return true;
}

struct binlog_gtid
binlog_gtid_at(const struct binlog_gtid_list *list, uint32_t i)
{
    const uint8_t *at = list->entries.ptr + (size_t)i * GTID_ENTRY;

    return (struct binlog_gtid){ .domain = wire_load_u32(at), .server_id = wire_load_u32(at + 4),
                                 .sequence = wire_load_u64(at + 8) };
}

bool
binlog_query_read(const struct binlog_event *e, struct buf *room, struct binlog_query *out)
{
    struct cursor       c = cursor_of(e->body);
    struct binlog_query q = { 0 };

    buf_clear(room);
    q.thread = wire_u32(&c);
    wire_skip(&c, 4);
    uint8_t database  = wire_u8(&c);
    q.error           = wire_u16(&c);
    uint16_t variables = e->fixed >= 13 ? wire_u16(&c) : 0;
    wire_skip(&c, e->fixed > 13 ? e->fixed - 13u : 0);
    q.variables = wire_bytes(&c, variables);
    q.database  = wire_bytes(&c, database);
    uint8_t nul = wire_u8(&c);
    q.text      = wire_rest(&c);
    bool packed = e->type == BINLOG_QUERY_COMPRESSED;
    if (e->kind != BINLOG_KIND_QUERY || c.bad || nul != 0 || e->fixed < 13)
        return false;
    if (packed && !binlog_unpack(q.text, room))
        return false;
    if (packed)
        q.text = buf_unread(room);
    *out = q;
    return true;
}

bool
binlog_xid_read(const struct binlog_event *e, uint64_t *xid)
{
    struct cursor c  = cursor_of(span_from(e->body, e->fixed < e->body.len ? e->fixed : 0));
    uint64_t      id = wire_u64(&c);

    if (e->type != BINLOG_XID || c.bad)
        return false;
    *xid = id;
    return true;
}

bool
binlog_xa_prepare_read(const struct binlog_event *e, bool *one_phase, struct binlog_xid *out)
{
    struct cursor     c = cursor_of(e->body);
    struct binlog_xid x = { 0 };

    uint8_t phase  = wire_u8(&c);
    x.format       = wire_u32(&c);
    uint32_t gtrid = wire_u32(&c);
    uint32_t bqual = wire_u32(&c);
    if (e->type != BINLOG_XA_PREPARE || gtrid > BINLOG_XID_BYTES || bqual > BINLOG_XID_BYTES ||
        !xid_bytes(&c, gtrid, bqual, &x))
        return false;
    *one_phase = phase != 0;
    *out       = x;
    return true;
}

bool
binlog_annotate_read(const struct binlog_event *e, struct span *text)
{
    if (e->type != BINLOG_ANNOTATE)
        return false;
    *text = e->body;
    return true;
}

bool
binlog_file_read(const struct binlog_event *e, struct span *file)
{
    struct cursor c = cursor_of(e->body);
    struct span   name;

    if (e->type == BINLOG_HEARTBEAT) {
        name = wire_rest(&c);
    } else if (e->type == BINLOG_CHECKPOINT) {
        uint32_t len = wire_u32(&c);
        name = wire_bytes(&c, len);
    } else {
        return false;
    }
    if (c.bad)
        return false;
    *file = name;
    return true;
}

/* One byte: a mark, the way (0: zlib) and how many bytes the length has; the length, most
 * significant byte first; a zlib stream. */
bool
binlog_unpack(struct span packed, struct buf *out)
{
    struct cursor c    = cursor_of(packed);
    uint8_t       head = wire_u8(&c);
    uint64_t      len  = 0;

    if ((head & 0xe0) != PACKED_MARK || (head & 0x18) != 0 || (head & 7) == 0 || (head & 7) > 4)
        return false;
    for (unsigned i = 0; i < (head & 7u); i++)
        len = len << 8 | wire_u8(&c);
    struct span rest = wire_rest(&c);
    if (c.bad || len == 0 || len > (uint64_t)rest.len * INFLATE_RATIO)
        return false;
    uLongf got = len;
    uLong  fed = rest.len;
    if (uncompress2(buf_reserve(out, len), &got, rest.ptr, &fed) != Z_OK || got != len ||
        fed != rest.len)
        return false;
    buf_commit(out, len);
    return true;
}
