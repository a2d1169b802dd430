/* result.h - where the answer to one command ends, and what it said.
 *
 *                 +-- OK, ERR ------------------------------------------> done
 *   RESULT_FIRST -+-- LOCAL INFILE --> RESULT_FIRST once more (after the file)
 *        ^        +-- count --> RESULT_COLUMNS --[EOF]--> RESULT_ROWS --end--> done
 *        |                                                    |
 *        +---------------- SERVER_MORE_RESULTS_EXISTS --------+
 *
 * An answer to COM_STMT_PREPARE is OK, then RESULT_PARAMS and RESULT_COLUMNS,
 * as many as it says. EOF packets behind definitions are absent under
 * CLIENT_DEPRECATE_EOF.
 *
 * Two ways to read, which may be mixed between messages:
 *   result_feed()  for relays: takes a stream of bytes cut anywhere, buffers no
 *                  rows, and says how many bytes belong to this answer, so that
 *                  they can be passed on in bulk.
 *   result_next()  for merges: one whole message at a time with its payload.
 *
 * A row that begins with 0xfe would be a text cell of more than 16 MiB, so its packet
 * is full; a shorter packet with 0xfe is the end of the rows. 0xff begins no row.
 *
 * Under MARIADB_CLIENT_CACHE_METADATA a server leaves the definitions out of a repeated
 * execution: do not negotiate it where several clients share one prepared statement.
 */
#ifndef CORE_MYSQL_RESULT_H
#define CORE_MYSQL_RESULT_H

#include "core/base/err.h"
#include "core/mysql/packet.h"
#include "core/mysql/protocol.h"

enum result_shape {
    RESULT_QUERY,      /* COM_QUERY, COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE, COM_PROCESS_INFO */
    RESULT_PREPARE,    /* COM_STMT_PREPARE */
    RESULT_FETCH,      /* COM_STMT_FETCH: rows and an end */
    RESULT_FIELD_LIST, /* COM_FIELD_LIST: definitions and an end */
    RESULT_SIMPLE,     /* OK, EOF or ERR: COM_PING, COM_INIT_DB, COM_SET_OPTION... */
    RESULT_TEXT,       /* one packet of text: COM_STATISTICS */
    RESULT_NONE,       /* no answer: COM_QUIT, COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA */
};

/* What a server's answer to `command` looks like; RESULT_SIMPLE for commands
 * that are unknown, as those are answered with ERR. */
enum result_shape result_shape_of(uint8_t command);

enum result_status {
    RESULT_MORE,         /* all bytes were taken and the answer goes on */
    RESULT_LOCAL_INFILE, /* the server waits for a file: call again after it was sent */
    RESULT_DONE,         /* `used` ends the answer; what is behind it belongs to the next one */
    RESULT_BAD,          /* not the protocol: close the backend */
};

enum result_state {
    RESULT_FIRST, RESULT_PARAMS, RESULT_PARAMS_EOF, RESULT_COLUMNS, RESULT_COLUMNS_EOF,
    RESULT_ROWS, RESULT_DEFINITIONS, RESULT_ONLY_PACKET, RESULT_OVER, RESULT_BROKEN,
};

/* What a message was. */
enum result_kind {
    RESULT_IS_OK,           /* payload: reply_ok_decode() */
    RESULT_IS_ERR,          /* payload: reply_err_decode() */
    RESULT_IS_LOCAL_INFILE, /* payload: 0xfb and the file's name */
    RESULT_IS_COUNT,        /* the number of columns, now in n_columns */
    RESULT_IS_PREPARED,     /* payload: reply_prepare_decode() */
    RESULT_IS_PARAM,        /* payload: reply_column_decode() */
    RESULT_IS_COLUMN,       /* payload: reply_column_decode() */
    RESULT_IS_EOF,          /* behind definitions; payload: reply_eof_decode() */
    RESULT_IS_ROW,
    RESULT_IS_END,          /* of rows or of RESULT_FIELD_LIST: EOF, or OK with 0xfe */
    RESULT_IS_TEXT,
    RESULT_IS_PROGRESS,     /* MARIADB_CLIENT_PROGRESS: no part of the answer proper */
};

#define RESULT_KEEP 560 /* an ERR packet with the longest message */

struct result_reader {
    /* What has been learnt; valid when RESULT_DONE, and of the last OK or EOF
     * packet. affected_rows and n_rows are sums over a chain of results. */
    uint64_t affected_rows;
    uint64_t insert_id;
    uint64_t n_rows;
    uint64_t n_bytes;      /* of the whole answer, headers included */
    uint32_t n_results;    /* results in the chain, an OK counting as one */
    uint16_t status;       /* SERVER_STATUS_* */
    uint16_t warnings;
    uint16_t error;        /* 0, or the code of the ERR packet that ended the answer */
    uint32_t statement_id; /* RESULT_PREPARE */
    uint16_t n_params;     /* RESULT_PREPARE */
    uint32_t n_columns;    /* of the last result set, or of the prepared statement */
    bool     session_changed; /* some OK or EOF said that the session has changed */
    bool     had_rows;        /* some result was a result set */
    uint8_t  next_seq;        /* 1 after result_init(); set it when the command took more packets */
    bool     cursor;          /* false after result_init(); set it when the command asked for
                                 one. Routines with cursors of their own send the flag, and
                                 their rows all the same. */

    bool     renumbers;      /* false after result_init(); set it when the server compresses: its
                                packets are then numbered anew after each flush, and
                                result_feed() writes the numbers that a client waits for into
                                the bytes, which have to be writable */

    /* Private. */
    uint64_t          capabilities;
    enum result_shape shape;
    enum result_state state;
    uint64_t          left;      /* definitions still to come */
    uint32_t          skip;      /* payload bytes of the current packet still to come */
    bool              any_seq;   /* after a file the server's seq follows the client's */
    bool              midway;    /* the current packet continues a message */
    bool              keeping;   /* the current message is copied into `kept` */
    bool              cut;       /* ... and did not fit */
    enum result_kind  kind;
    uint8_t           n_header;  /* bytes of the header in `header` */
    uint8_t           header[PACKET_HEADER_BYTES + 1];
    uint32_t          n_kept;
    uint8_t           kept[RESULT_KEEP];
};

/* `capabilities`: negotiated with the server that answers. */
void result_init(struct result_reader *r, enum result_shape shape, uint64_t capabilities);

/* Read on. *used is how many bytes of `in` belong to this answer: all of them
 * unless it ends or pauses within. A RESULT_NONE answer is done at once. */
enum result_status result_feed(struct result_reader *r, struct span in, size_t *used) must_check;

struct result_message {
    enum result_kind kind;
    struct message   message;
};

/* Take one whole message. PACKET_PARTIAL: come back with more of the same
 * bytes. PACKET_BAD_SEQ also says that the message has no place here. `joined`
 * as in message_next(). Call result_over() to know whether it was the last. */
enum packet_status result_next(struct result_reader *r, struct span in, size_t limit,
                               struct buf *joined, struct result_message *out) must_check;

static inline bool
result_over(const struct result_reader *r)
{
    return r->state == RESULT_OVER;
}

/* After RESULT_DONE of result_feed(): the error that ended the answer. */
bool result_error(const struct result_reader *r, struct sql_error *out) must_check;

/* After RESULT_DONE of result_feed(): the payload of the packet that ended the answer, for
 * its info and session-track bytes; empty when it was longer than RESULT_KEEP. */
struct span result_last(const struct result_reader *r);

#endif
