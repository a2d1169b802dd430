/* reply.h - what servers answer: OK, ERR, EOF, PREPARE_OK and column definitions.
 *
 * Decoders take one payload; spans in what they fill point into it. Encoders
 * write whole packets and move *seq on. `capabilities` are always those
 * negotiated on the connection at hand: they change the layout.
 */
#ifndef CORE_MYSQL_REPLY_H
#define CORE_MYSQL_REPLY_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/mysql/protocol.h"

/* The first byte of an answer. Text, NULL and OK overlap: see result.h for
 * where each may stand. */
enum {
    REPLY_OK           = 0x00,
    REPLY_AUTH_MORE    = 0x01,
    REPLY_LOCAL_INFILE = 0xfb,
    REPLY_EOF          = 0xfe, /* also auth switch, and OK at the end of rows */
    REPLY_ERR          = 0xff,
};

struct ok {
    uint64_t    affected_rows;
    uint64_t    insert_id;
    uint16_t    status;   /* SERVER_STATUS_* */
    uint16_t    warnings;
    struct span info;     /* "Rows matched: 1  Changed: 1  Warnings: 0" */
    struct span track;    /* session-track entries, verbatim; walk with track_next() */
};

/* An OK packet, whether it begins with 0x00 or, at the end of rows under
 * CLIENT_DEPRECATE_EOF, with 0xfe. */
bool reply_ok_decode(struct span payload, uint64_t capabilities, struct ok *out) must_check;

/* SERVER_SESSION_STATE_CHANGED is set or cleared to fit `track`, which is left
 * out without CLIENT_SESSION_TRACK. */
void reply_ok_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, const struct ok *ok);

/* The end of column definitions or rows: EOF, or OK with 0xfe under
 * CLIENT_DEPRECATE_EOF. Do not call it after column definitions under
 * CLIENT_DEPRECATE_EOF: nothing is sent there. */
void reply_end_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, const struct ok *ok);

/* One entry of ok.track; false at the end or at a malformed one. */
bool track_next(struct span *rest, uint8_t *kind, struct span *data);

/* Without an SQLSTATE in the packet (errors before the login) it follows from
 * the code. A message too long for struct sql_error is cut. Clients take a code of
 * their own library in an ERR for a malformed packet: 1105 is sent instead. */
bool reply_err_decode(struct span payload, struct sql_error *out) must_check;
void reply_err_encode(struct buf *out, uint8_t *seq, uint64_t capabilities,
                      const struct sql_error *error);

struct eof {
    uint16_t warnings, status;
};

bool reply_eof_decode(struct span payload, struct eof *out) must_check;
void reply_eof_encode(struct buf *out, uint8_t *seq, const struct eof *eof);

struct prepare_ok {
    uint32_t statement_id;
    uint16_t n_columns, n_params, warnings;
};

bool reply_prepare_decode(struct span payload, struct prepare_ok *out) must_check;
void reply_prepare_encode(struct buf *out, uint8_t *seq, const struct prepare_ok *ok);

struct column {
    struct span catalog, schema, table, org_table, name, org_name;
    struct span extended;      /* MARIADB_CLIENT_EXTENDED_METADATA, verbatim */
    uint16_t    charset;       /* collation id */
    uint32_t    length;        /* display width in bytes */
    uint8_t     type;          /* MYSQL_TYPE_* */
    uint16_t    flags;
    uint8_t     decimals;
    bool        has_default;   /* answers to COM_FIELD_LIST only; false with a default of NULL */
    struct span default_value;
};

bool reply_column_decode(struct span payload, uint64_t capabilities,
                         struct column *out) must_check;

/* `catalog` is always written as "def". has_default is never written. */
void reply_column_encode(struct buf *out, uint8_t *seq, uint64_t capabilities,
                         const struct column *column);

/* The kind of data inside a column's `extended` metadata ("json", "uuid", "inet6");
 * empty when it says nothing. */
struct span column_format(const struct column *column);

void reply_column_count_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, uint64_t n);

#endif
