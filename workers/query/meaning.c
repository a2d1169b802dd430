/* meaning.c - see meaning.h. */
#include "workers/query/meaning.h"

#include <stdio.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/route/keyhash.h"
#include "core/sql/charset.h"
#include "core/sql/reading.h"
#include "core/sql/sql_mode.h"

/* As an assignment, unless a session that begins now has it so. */
#define CHANGED(name) \
    "IF(@@" name " <=> @@GLOBAL." name ", NULL, CONCAT('" name " = ', QUOTE(@@" name "))), "
#define CHANGED_NUMBER(name) \
    "IF(@@" name " = @@GLOBAL." name ", NULL, CONCAT('" name " = ', @@" name ")), "

const char meaning_question[] =
    "SELECT @@sql_mode, @@autocommit, @@character_set_client, "
    "(SELECT ID FROM information_schema.COLLATIONS WHERE "
    "COLLATION_NAME = @@collation_connection), "
    "@@character_set_connection, @@collation_connection, "
    "@@foreign_key_checks, @@sql_select_limit = ~0, "
    "@@tx_read_only, @@completion_type, "
    "CEIL(@@max_statement_time * 1000), "
    "IF(@@wait_timeout = @@GLOBAL.wait_timeout, 0, @@wait_timeout), "
    "CONCAT_WS(', ', " CHANGED("time_zone") CHANGED("lc_time_names")
    CHANGED_NUMBER("group_concat_max_len") CHANGED_NUMBER("div_precision_increment")
    CHANGED_NUMBER("default_week_format") CHANGED_NUMBER("check_constraint_checks")
    CHANGED_NUMBER("explicit_defaults_for_timestamp") CHANGED_NUMBER("innodb_strict_mode")
    CHANGED("system_versioning_alter_history") CHANGED("default_storage_engine")
    CHANGED("old_mode") CHANGED_NUMBER("innodb_compression_default")
    CHANGED_NUMBER("lock_wait_timeout") CHANGED_NUMBER("innodb_lock_wait_timeout")
    "NULL), @@timestamp, "
    "@@session_track_schema, @@session_track_state_change, "
    "IF(@@collation_server = @@GLOBAL.collation_server, '', @@collation_server), "
    "@@character_set_results, @@sql_auto_is_null, @@system_versioning_asof <> 'DEFAULT'";

static uint16_t
cell_u16(struct cell cell)
{
    unsigned value = 0;

    for (size_t i = 0; !cell.is_null && i < cell.bytes.len; i++)
        value = value * 10 + (unsigned)(cell.bytes.ptr[i] - '0');
    return (uint16_t)value;
}

uint64_t
meaning_number(struct cell cell)
{
    uint64_t value = 0;

    for (size_t i = 0; !cell.is_null && i < cell.bytes.len && cell.bytes.ptr[i] >= '0' &&
                       cell.bytes.ptr[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(cell.bytes.ptr[i] - '0');
    return value;
}

static void
copy_name(char *out, size_t cap, struct cell cell)
{
    snprintf(out, cap, "%.*s", (int)cell.bytes.len, cell.bytes.ptr);
}

void
meaning_read(struct meaning *m, const struct cell *cells)
{
    struct span        mode = cells[0].bytes;
    struct lex_options lex  = { .charset = lex_charset_of(cells[2].bytes) };

    m->modes.reading  = sql_mode_reading(mode);
    m->lex            = reading_options(lex, m->modes.reading);
    m->zero_is_number = sql_mode_has(mode, "NO_AUTO_VALUE_ON_ZERO");
    m->autocommit     = cell_u16(cells[1]) != 0;
    m->collation      = span_equal(cells[2].bytes, cells[4].bytes) ? cell_u16(cells[3])
                        : charset_has_ascii(cells[4].bytes)        ? 0
                                                                   : COLLATION_CONVERTED;
    m->modes.no_foreign_key_checks = cell_u16(cells[6]) == 0;
    m->modes.select_limit          = cell_u16(cells[7]) == 0;
    m->modes.read_only             = cell_u16(cells[8]) != 0;
    m->modes.completion_chain      = span_equal(cells[9].bytes, SPAN("CHAIN"));
    m->modes.completion_release    = span_equal(cells[9].bytes, SPAN("RELEASE"));
    m->modes.statement_ms          = meaning_number(cells[10]);
    m->modes.wait_s                = meaning_number(cells[11]);
    copy_name(m->modes.sql_mode, sizeof(m->modes.sql_mode), cells[0]);
    copy_name(m->modes.charset, sizeof(m->modes.charset), cells[2]);
    copy_name(m->modes.collation, sizeof(m->modes.collation), cells[5]);
    copy_name(m->modes.ddl, sizeof(m->modes.ddl), cells[12]);
    m->modes.track_no_schema       = cell_u16(cells[14]) == 0;
    m->modes.track_changes         = cell_u16(cells[15]) != 0;
    copy_name(m->modes.collation_server, sizeof(m->modes.collation_server), cells[16]);
    copy_name(m->modes.results, sizeof(m->modes.results), cells[17]);
    m->auto_is_null                = cell_u16(cells[18]) != 0;
    m->modes.as_of                 = cell_u16(cells[19]) != 0;
    copy_name(m->modes.timestamp, sizeof(m->modes.timestamp), cells[13]);
}

bool
meaning_allowed(const struct meaning *m, struct sql_error *why)
{
    if (m->collation == COLLATION_CONVERTED)
        return sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: character_set_connection cannot be a "
                             "set in which ASCII has other bytes (%s): all texts would be "
                             "converted to it, also those of shardd; use utf8mb4, and "
                             "CONVERT(... USING ...) for single values", m->modes.collation);
    return !m->auto_is_null ||
           sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: sql_auto_is_null cannot be 1: no shard "
                         "knows the last number that another gave; write = LAST_INSERT_ID()");
}

void
meaning_apply(struct session *s, const struct meaning *m)
{
    s->lex            = m->lex;
    s->zero_is_number = m->zero_is_number;
    s->autocommit     = m->autocommit;
    s->collation      = m->collation;
    if (s->modes == NULL)
        s->modes = mem_alloc(sizeof(*s->modes));
    *s->modes = m->modes;
}

static bool
is_number(uint8_t type)
{
    return type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_LONG || type == MYSQL_TYPE_TINY ||
           type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_NEWDECIMAL;
}

void
meaning_say_value(struct buf *out, const struct column *column, const struct cell *cell,
                  struct lex_options lex)
{
    struct literal_mode mode = { .charset              = CHARSET_UTF8MB4_GENERAL_CI,
                                 .no_backslash_escapes = lex.no_backslash_escapes };

    if (cell->is_null)
        buf_append_text(out, "NULL");
    else if (is_number(column->type))
        buf_append_span(out, cell->bytes);
    else if (column->type == MYSQL_TYPE_DOUBLE) {
        buf_append_span(out, cell->bytes);
        if (memchr(cell->bytes.ptr, 'e', cell->bytes.len) == NULL)
            buf_append_text(out, "e0");
    } else
        literal_quote(out, cell->bytes, &mode);
}
