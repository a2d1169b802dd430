/* command.h - what clients ask for, taken apart and put together.
 *
 * A command's payload is its COM_* byte and fields. Most have one field that
 * runs to the end and need no function here (COM_QUERY: the text). Decoders
 * take the whole payload, command byte included; encoders write whole packets
 * and begin at seq 0.
 */
#ifndef CORE_MYSQL_COMMAND_H
#define CORE_MYSQL_COMMAND_H

#include "core/base/buf.h"
#include "core/mysql/literal.h"
#include "core/mysql/protocol.h"

/* The text behind the command byte: COM_QUERY, COM_STMT_PREPARE, COM_INIT_DB.
 * The payload is not empty. */
static inline struct span
command_text(struct span payload)
{
    return span_from(payload, 1);
}

/* COM_STMT_CLOSE, COM_STMT_RESET, COM_STMT_FETCH, COM_PROCESS_KILL, and the
 * statement of COM_STMT_EXECUTE and COM_STMT_SEND_LONG_DATA. */
bool command_id(struct span payload, uint32_t *id) must_check;

struct long_data {
    uint32_t    statement_id;
    uint16_t    param;
    struct span bytes;
};

bool long_data_decode(struct span payload, struct long_data *out) must_check;

struct field_list {
    struct span table;
    struct span wildcard; /* empty: all columns */
};

bool field_list_decode(struct span payload, struct field_list *out) must_check;

/* COM_STMT_FETCH */
bool fetch_decode(struct span payload, uint32_t *statement_id, uint32_t *rows) must_check;

/* COM_SET_OPTION: *on for "multi-statements on". False for other options. */
bool set_option_decode(struct span payload, bool *multi_statements) must_check;

struct execute {
    uint32_t statement_id;
    uint8_t  flags;      /* CURSOR_TYPE_* */
    uint32_t iterations; /* always 1 */
    bool     bound;      /* the types came along */
};

#define EXECUTE_LAST_PREPARED UINT32_MAX /* statement_id: "the one just prepared" (MariaDB) */

/* Decode COM_STMT_EXECUTE of a statement with `n_params` parameters into
 * params[n_params]. `types[n_params]` (type | 0x8000 for unsigned, as on the wire) is the
 * statement's memory: it is filled when types come along and used when they do not; a first
 * execution without types is an error, so let it start with PARAM_UNBOUND.
 * `long_data` is NULL or holds for each parameter what COM_STMT_SEND_LONG_DATA
 * brought (ptr NULL: nothing). Outputs are written only on success. Values
 * point into payload or long_data. */
#define PARAM_UNBOUND  0x7fff
#define PARAM_UNSIGNED 0x8000
bool execute_decode(struct span payload, uint32_t n_params, uint16_t *types,
                    const struct span *long_data, struct execute *out,
                    struct param_value *params) must_check;

/* The bytes of one value of `type`, without their length; c->bad when it is malformed. */
struct cursor;
struct span param_value_read(struct cursor *c, uint8_t type);

/* Commands without fields: COM_PING, COM_QUIT, COM_RESET_CONNECTION, COM_STATISTICS. */
void command_encode(struct buf *out, uint8_t command);

/* Commands with one text: COM_QUERY, COM_INIT_DB, COM_STMT_PREPARE. */
void command_text_encode(struct buf *out, uint8_t command, struct span text);

/* Commands with a statement id: COM_STMT_CLOSE, COM_STMT_RESET. */
void command_id_encode(struct buf *out, uint8_t command, uint32_t id);

/* COM_STMT_FETCH */
void fetch_encode(struct buf *out, uint32_t statement_id, uint32_t rows);

/* COM_STMT_EXECUTE built anew, with the types always bound, because the statement that it
 * runs on a backend may have been prepared for somebody else. Long data travels inside. */
void execute_encode(struct buf *out, uint32_t statement_id, uint8_t flags,
                    const struct param_value *params, uint32_t n_params);

#endif
