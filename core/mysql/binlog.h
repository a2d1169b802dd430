/* binlog.h - the events of a server's binary log, bytes in and structs out.
 *
 *      0           4      5           9        13         17      19
 *      +-----------+------+-----------+--------+----------+-------+------------+-------+
 *      | timestamp | type | server_id | length | end of.. | flags |    body    | CRC32 |
 *      +-----------+------+-----------+--------+----------+-------+------------+-------+
 *
 * How a log's events look says its first one, FORMAT_DESCRIPTION: the length of the header, of
 * each type's fixed part, and whether a CRC32 ends every event. A struct binlog_format holds what
 * the last one said; binlog_read() keeps it up to date. Nothing is trusted: lengths are checked,
 * checksums verified, and spans point into the event's bytes or into a buffer of the caller.
 *
 *     binlog.h        events, transactions (GTID, XID, XA), queries
 *     binlog_table.h  TABLE_MAP: a table's columns as the log has them
 *     binlog_rows.h   rows of INSERT, UPDATE and DELETE, and the values in them
 *     binlog_value.h  a value as text
 *     binlog_build.h  events of our own making, and the BINLOG statement
 *
 * Not to be told from the log: the fixed size of DECIMAL of MySQL 4 (no such column can be
 * followed). Sources: MariaDB knowledge base, "Replication Protocol" and "Binlog Event Types";
 * what is not there was read off a MariaDB 10.11's own log.
 */
#ifndef CORE_MYSQL_BINLOG_H
#define CORE_MYSQL_BINLOG_H

#include "core/base/buf.h"

enum binlog_type { /* every type that MariaDB 10.11 writes, and those of MySQL with rows */
    BINLOG_START_V3             = 1,
    BINLOG_QUERY                = 2,
    BINLOG_STOP                 = 3,
    BINLOG_ROTATE               = 4,
    BINLOG_INTVAR               = 5,
    BINLOG_RAND                 = 13,
    BINLOG_USER_VAR             = 14,
    BINLOG_FORMAT_DESCRIPTION   = 15,
    BINLOG_XID                  = 16,
    BINLOG_BEGIN_LOAD_QUERY     = 17,
    BINLOG_EXECUTE_LOAD_QUERY   = 18,
    BINLOG_TABLE_MAP            = 19,
    BINLOG_WRITE_ROWS_V1        = 23,
    BINLOG_UPDATE_ROWS_V1       = 24,
    BINLOG_DELETE_ROWS_V1       = 25,
    BINLOG_INCIDENT             = 26,
    BINLOG_HEARTBEAT            = 27,
    BINLOG_IGNORABLE            = 28,
    BINLOG_WRITE_ROWS           = 30,
    BINLOG_UPDATE_ROWS          = 31,
    BINLOG_DELETE_ROWS          = 32,
    BINLOG_XA_PREPARE           = 38,
    BINLOG_ANNOTATE             = 160,
    BINLOG_CHECKPOINT           = 161,
    BINLOG_GTID                 = 162,
    BINLOG_GTID_LIST            = 163,
    BINLOG_START_ENCRYPTION     = 164,
    BINLOG_QUERY_COMPRESSED     = 165,
    BINLOG_WRITE_ROWS_PACKED_V1 = 166, /* compressed, as the next five */
    BINLOG_UPDATE_ROWS_PACKED_V1 = 167,
    BINLOG_DELETE_ROWS_PACKED_V1 = 168,
    BINLOG_WRITE_ROWS_PACKED    = 169,
    BINLOG_UPDATE_ROWS_PACKED   = 170,
    BINLOG_DELETE_ROWS_PACKED   = 171,
};

/* What to do with an event, whatever its type's number. */
enum binlog_kind {
    BINLOG_KIND_GTID,        /* begins a transaction or a statement that stands alone */
    BINLOG_KIND_QUERY,       /* DDL, BEGIN, COMMIT, ROLLBACK, SAVEPOINT, XA ...; or a statement */
    BINLOG_KIND_TABLE_MAP,
    BINLOG_KIND_ROWS,
    BINLOG_KIND_XID,         /* commits */
    BINLOG_KIND_XA_PREPARE,  /* ends a transaction that is decided elsewhere */
    BINLOG_KIND_ROTATE,
    BINLOG_KIND_GTID_LIST,
    BINLOG_KIND_HEARTBEAT,
    BINLOG_KIND_STATEMENT,   /* belongs to a change logged as a statement: INTVAR, RAND,
                                USER_VAR, LOAD DATA */
    BINLOG_KIND_SKIP,        /* says nothing about data: FORMAT_DESCRIPTION, ANNOTATE, STOP,
                                CHECKPOINT, what is marked as ignorable */
};

enum {
    BINLOG_HEADER_BYTES   = 19,
    BINLOG_CHECKSUM_BYTES = 4,
    BINLOG_TYPES          = 256,

    BINLOG_F_IN_USE    = 0x0001, /* flags of the header */
    BINLOG_F_ARTIFICIAL = 0x0020,
    BINLOG_F_IGNORABLE = 0x0080,
};

enum binlog_status {
    BINLOG_GOOD,
    BINLOG_MALFORMED,  /* a length that does not fit, bytes that cannot be */
    BINLOG_DAMAGED,    /* the checksum is wrong */
    BINLOG_UNKNOWN,    /* a type that we do not know, and not marked as ignorable */
    BINLOG_ENCRYPTED,  /* START_ENCRYPTION: what follows cannot be read from a file */
    BINLOG_LOST,       /* INCIDENT: the server says that changes are missing in its log */
    BINLOG_TOO_OLD,    /* of a server before MySQL 5.0 */
};

/* "the checksum is wrong": for a sentence. */
const char *binlog_status_text(enum binlog_status status);

struct binlog_format {
    bool    known;                 /* a FORMAT_DESCRIPTION was read */
    bool    checksums;             /* a CRC32 ends every event */
    uint8_t header_bytes;          /* at least BINLOG_HEADER_BYTES */
    uint8_t fixed[BINLOG_TYPES];   /* bytes of each type's fixed part; 0: not told */
    char    server_version[51];
};

struct binlog_event {
    struct span      raw;       /* all of it, with header and checksum; borrowed */
    struct span      body;      /* behind the header, without the checksum */
    enum binlog_kind kind;
    uint8_t          type;      /* enum binlog_type */
    uint8_t          fixed;     /* format.fixed[type] */
    uint16_t         flags;     /* BINLOG_F_* */
    uint32_t         timestamp; /* seconds since 1970 */
    uint32_t         server_id;
    uint32_t         end;       /* position behind it in the log; 0: of none */
};

/* Before the first FORMAT_DESCRIPTION. `checksums`: events end with CRC32 already (the rotate
 * event that a server makes up for us comes before it). */
void binlog_format_init(struct binlog_format *f, bool checksums);

/* One event, all of its bytes. Takes up what a FORMAT_DESCRIPTION says. */
enum binlog_status binlog_read(struct binlog_format *f, struct span raw,
                               struct binlog_event *out) must_check;

/* --- what stands in them; false: malformed, or not of this type ------------------------- */

struct binlog_rotate {
    uint64_t    position;
    struct span file;
};
bool binlog_rotate_read(const struct binlog_event *e, struct binlog_rotate *out) must_check;

enum {
    BINLOG_XID_BYTES = 128, /* gtrid and bqual together */

    BINLOG_GTID_STANDALONE    = 0x01, /* one statement, no COMMIT follows */
    BINLOG_GTID_GROUP_COMMIT  = 0x02,
    BINLOG_GTID_TRANSACTIONAL = 0x04,
    BINLOG_GTID_DDL           = 0x20,
    BINLOG_GTID_PREPARED_XA   = 0x40, /* ends with XA PREPARE */
    BINLOG_GTID_COMPLETED_XA  = 0x80, /* XA COMMIT or XA ROLLBACK of a prepared one: the QUERY
                                         that follows says which */
};

struct binlog_xid {
    uint32_t    format;
    struct span gtrid, bqual; /* together 1 to BINLOG_XID_BYTES */
};

struct binlog_gtid {
    uint32_t          domain, server_id;
    uint64_t          sequence;
    uint8_t           flags;     /* BINLOG_GTID_* */
    uint64_t          commit_id; /* of a group commit, else 0 */
    struct binlog_xid xid;       /* with PREPARED_XA and COMPLETED_XA, else empty */
};
bool binlog_gtid_read(const struct binlog_event *e, struct binlog_gtid *out) must_check;

/* The list says which GTIDs lie before the file. */
struct binlog_gtid_list {
    uint32_t    n;
    struct span entries;
};
bool binlog_gtid_list_read(const struct binlog_event *e, struct binlog_gtid_list *out)
    must_check;
struct binlog_gtid binlog_gtid_at(const struct binlog_gtid_list *list, uint32_t i); /* i < n */

struct binlog_query {
    uint32_t    thread;
    uint16_t    error;     /* with which it ended on its server, 0: none */
    struct span variables; /* the session's, not looked into */
    struct span database;  /* the default one; may be empty */
    struct span text;
};
/* `room` gets the text of a compressed one, which points there; it is emptied first. */
bool binlog_query_read(const struct binlog_event *e, struct buf *room, struct binlog_query *out)
    must_check;

bool binlog_xid_read(const struct binlog_event *e, uint64_t *xid) must_check;

/* `one_phase`: XA COMMIT ... ONE PHASE: it is committed. */
bool binlog_xa_prepare_read(const struct binlog_event *e, bool *one_phase,
                            struct binlog_xid *out) must_check;

/* The statement that rows come from: ANNOTATE. */
bool binlog_annotate_read(const struct binlog_event *e, struct span *text) must_check;

/* The file's name in HEARTBEAT and CHECKPOINT. */
bool binlog_file_read(const struct binlog_event *e, struct span *file) must_check;

/* --- for binlog_*.c -------------------------------------------------------------------- */

/* What log_bin_compress made of bytes, undone and appended to `out`. False, with `out` as
 * before: malformed. */
bool binlog_unpack(struct span packed, struct buf *out) must_check;

#endif
