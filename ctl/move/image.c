/* image.c - see image.h. */
#include "ctl/move/image.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_encode.h"

enum { FATAL = 1593 }; /* as APPLY_FATAL */

/* ---- what servers do ---- */

bool
image_trigger(struct server *s, const char *database, const char *table, enum image_event event,
              char name[256], struct sql_error *error)
{
    return server_value(s, name, 256, error,
                        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE "
                        "EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s AND "
                        "EVENT_MANIPULATION = '%s' AND TRIGGER_NAME NOT LIKE 'shardd lookup %%' "
                        "LIMIT 1", server_text(database), server_text(table),
                        event == IMAGE_INSERT ? "INSERT" : "DELETE");
}

bool
image_fires_none(struct server *s, struct sql_error *error)
{
    char run[16];

    if (!server_value(s, run, sizeof(run), error, "SELECT @@GLOBAL.slave_run_triggers_for_rbr"))
        return false;
    return strcmp(run, "NO") == 0 ||
           sql_error_set(error, FATAL, "shardd: shard %s has slave_run_triggers_for_rbr = %s, by "
                         "which moved rows would fire triggers once more; SET GLOBAL "
                         "slave_run_triggers_for_rbr = 'NO' there, and put it into my.cnf",
                         s->name, run);
}

/* ---- columns ---- */

enum form {
    AS_IT_IS,
    WITHOUT_ZEROS, /* those at the end */
    ADDRESS,       /* UUID, INET4, INET6: their bytes, without zeros at the end */
    REAL,
    NUMBERED,
};

struct image_column {
    char     *name; /* owned */
    enum form form;
};

enum size { NONE, OCTETS, DIGITS, FRACTION, BITS, ENUM_BYTES, SET_BYTES };

/* DATA_TYPE of information_schema; `meta` where `size` says nothing else. */
static const struct type {
    const char *name;
    uint8_t     type;
    uint16_t    meta;
    enum size   size;
    enum form   form;
} types[] = {
    { "tinyint", MYSQL_TYPE_TINY, 0, NONE, AS_IT_IS },
    { "smallint", MYSQL_TYPE_SHORT, 0, NONE, AS_IT_IS },
    { "mediumint", MYSQL_TYPE_INT24, 0, NONE, AS_IT_IS },
    { "int", MYSQL_TYPE_LONG, 0, NONE, AS_IT_IS },
    { "bigint", MYSQL_TYPE_LONGLONG, 0, NONE, AS_IT_IS },
    { "year", MYSQL_TYPE_YEAR, 0, NONE, AS_IT_IS },
    { "float", MYSQL_TYPE_FLOAT, 4, NONE, REAL },
    { "double", MYSQL_TYPE_DOUBLE, 8, NONE, REAL },
    { "decimal", MYSQL_TYPE_NEWDECIMAL, 0, DIGITS, AS_IT_IS },
    { "bit", MYSQL_TYPE_BIT, 0, BITS, AS_IT_IS },
    { "date", MYSQL_TYPE_DATE, 0, NONE, AS_IT_IS },
    { "time", MYSQL_TYPE_TIME2, 0, FRACTION, AS_IT_IS },
    { "datetime", MYSQL_TYPE_DATETIME2, 0, FRACTION, AS_IT_IS },
    { "timestamp", MYSQL_TYPE_TIMESTAMP2, 0, FRACTION, AS_IT_IS },
    { "char", MYSQL_TYPE_STRING, 0, OCTETS, AS_IT_IS },
    { "binary", MYSQL_TYPE_STRING, 0, OCTETS, WITHOUT_ZEROS },
    { "uuid", MYSQL_TYPE_STRING, 16, NONE, ADDRESS },
    { "inet6", MYSQL_TYPE_STRING, 16, NONE, ADDRESS },
    { "inet4", MYSQL_TYPE_STRING, 4, NONE, ADDRESS },
    { "varchar", MYSQL_TYPE_VARCHAR, 0, OCTETS, AS_IT_IS },
    { "varbinary", MYSQL_TYPE_VARCHAR, 0, OCTETS, AS_IT_IS },
    { "tinytext", MYSQL_TYPE_BLOB, 1, NONE, AS_IT_IS },
    { "tinyblob", MYSQL_TYPE_BLOB, 1, NONE, AS_IT_IS },
    { "text", MYSQL_TYPE_BLOB, 2, NONE, AS_IT_IS },
    { "blob", MYSQL_TYPE_BLOB, 2, NONE, AS_IT_IS },
    { "mediumtext", MYSQL_TYPE_BLOB, 3, NONE, AS_IT_IS },
    { "mediumblob", MYSQL_TYPE_BLOB, 3, NONE, AS_IT_IS },
    { "longtext", MYSQL_TYPE_BLOB, 4, NONE, AS_IT_IS },
    { "longblob", MYSQL_TYPE_BLOB, 4, NONE, AS_IT_IS },
    { "enum", MYSQL_TYPE_ENUM, 0, ENUM_BYTES, NUMBERED },
    { "set", MYSQL_TYPE_SET, 0, SET_BYTES, NUMBERED },
    { "point", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "linestring", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "polygon", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "multipoint", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "multilinestring", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "multipolygon", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "geometrycollection", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
    { "geometry", MYSQL_TYPE_GEOMETRY, 4, NONE, AS_IT_IS },
};

/* Of information_schema.COLUMNS, as columns_sql asks for them. */
enum { NAME, DATA_TYPE, COLUMN_TYPE, OCTET_LENGTH, PRECISION, SCALE, TIME_PRECISION, NULLABLE };

static const char columns_sql[] =
    "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION,"
    " NUMERIC_SCALE, DATETIME_PRECISION, IS_NULLABLE FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION";

/* Of "enum('a','it''s')". */
static unsigned
count_members(const char *type)
{
    unsigned n      = 0;
    bool     inside = false;

    for (; *type != '\0'; type++) {
        if (*type == '\'' && !inside)
            n += type[-1] != '\''; /* a doubled one goes on */
        inside = *type == '\'' ? !inside : inside;
    }
    return n;
}

static unsigned
number(const json_t *row, size_t at)
{
    return (unsigned)strtoul(server_cell(row, at), NULL, 10);
}

static uint16_t
meta_of(const struct type *t, const json_t *row)
{
    unsigned n;

    switch (t->size) {
    case NONE:     return t->meta;
    case OCTETS:   return (uint16_t)number(row, OCTET_LENGTH);
    case DIGITS:
    case BITS:     return (uint16_t)number(row, PRECISION);
    case FRACTION: return (uint16_t)number(row, TIME_PRECISION);
    case ENUM_BYTES:
        return count_members(server_cell(row, COLUMN_TYPE)) < 256 ? 1 : 2;
    case SET_BYTES:
        n = (count_members(server_cell(row, COLUMN_TYPE)) + 7) / 8;
        return (uint16_t)(n > 4 ? 8 : n);
    }
    return 0;
}

/* What stands in a comment there is an older format, or compressed. */
static const struct type *
type_of(const json_t *row)
{
    bool members = strncmp(server_cell(row, COLUMN_TYPE), "enum(", 5) == 0 ||
                   strncmp(server_cell(row, COLUMN_TYPE), "set(", 4) == 0;

    if (!members && strstr(server_cell(row, COLUMN_TYPE), "/*"))
        return NULL;
    for (size_t i = 0; i < countof(types); i++)
        if (strcmp(types[i].name, server_cell(row, DATA_TYPE)) == 0)
            return &types[i];
    return NULL;
}

static bool
describe(struct image *i, const struct server *s, json_t *rows, struct binlog_column *columns,
         struct sql_error *error)
{
    json_t *row;
    size_t  at;

    json_array_foreach(rows, at, row) {
        const struct type *t = type_of(row);

        if (!t)
            return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s has triggers, and "
                                 "its column %s a type whose rows cannot be moved without them: "
                                 "%s; keep the triggers' texts (SHOW CREATE TRIGGER), drop them "
                                 "for the time of the move, and create them again afterwards",
                                 i->database, i->name, server_cell(row, NAME),
                                 server_cell(row, COLUMN_TYPE));
        columns[at] = (struct binlog_column){ .type = t->type, .meta = meta_of(t, row),
                                              .scale = (uint8_t)number(row, SCALE),
                                              .nullable = server_cell(row, NULLABLE)[0] == 'Y' };
        i->columns[at].name = strdup(server_cell(row, NAME));
        i->columns[at].form = t->form;
    }
    i->table = binlog_table_make(columns, i->n);
    return i->table || sql_error_set(error, FATAL, "shardd: shard %s has columns in %s.%s that are "
                                     "not understood", s->name, i->database, i->name);
}

bool
image_init(struct image *i, struct server *s, const char *database, const char *table,
           const uint32_t *only, uint32_t n_only, struct sql_error *error)
{
    *i = (struct image){ .database = database, .name = table };
    json_t *rows = server_rows(s, error, columns_sql, server_text(database), server_text(table));
    if (!rows)
        return false;
    i->n       = (uint32_t)json_array_size(rows);
    i->columns = mem_alloc((i->n + 1) * sizeof(*i->columns));
    struct binlog_column *columns = mem_alloc((i->n + 1) * sizeof(*columns));
    bool ok = describe(i, s, rows, columns, error);
    free(columns);
    json_decref(rows);
    memset(buf_reserve(&i->present, i->n / 8 + 1), 0, i->n / 8 + 1);
    buf_commit(&i->present, (i->n + 7) / 8);
    for (uint32_t k = 0; k < (only ? n_only : i->n); k++) {
        uint32_t at = only ? only[k] : k;

        if (at < i->n)
            i->present.bytes[i->present.start + at / 8] |= (uint8_t)(1 << at % 8);
    }
    return ok;
}

void
image_fini(struct image *i)
{
    for (uint32_t k = 0; i->columns && k < i->n; k++)
        free(i->columns[k].name);
    free(i->columns);
    binlog_table_free(i->table);
    buf_fini(&i->present);
    *i = (struct image){ 0 };
}

bool
image_has(const struct image *i, uint32_t column)
{
    return column < i->n && binlog_bit(buf_unread(&i->present), column);
}

bool
image_column_is(const struct image *i, uint32_t column, struct span name)
{
    return column < i->n && span_equal(span_of(i->columns[column].name), name);
}

bool
image_reads_apart(const struct image *i, uint32_t column)
{
    return i->columns[column].form == ADDRESS;
}

void
image_read(const struct image *i, uint32_t column, struct buf *sql)
{
    static const char *const as[] = { [ADDRESS] = " AS BINARY)", [REAL] = " AS DOUBLE)",
                                      [NUMBERED] = " AS UNSIGNED)" };
    enum form form = i->columns[column].form;

    buf_append_text(sql, form >= ADDRESS ? "CAST(" : "");
    server_quote_name(sql, i->columns[column].name);
    if (form >= ADDRESS)
        buf_append_text(sql, as[form]);
}

/* ---- rows ---- */

bool
image_row(const struct image *i, const struct span *cells, struct buf *out, uint32_t *column)
{
    size_t  start = buf_len(out);
    uint32_t n    = 0;

    for (uint32_t k = 0; k < i->n; k++)
        n += image_has(i, k);
    memset(buf_reserve(out, n / 8 + 1), 0xff, n / 8 + 1);
    buf_commit(out, (n + 7) / 8);
    for (uint32_t k = 0, bit = 0; k < i->n; k++) {
        struct span cell = cells[k];

        if (!image_has(i, k))
            continue;
        if (cell.ptr) {
            uint8_t *nulls = out->bytes + out->start + start;

            nulls[bit / 8] &= (uint8_t)~(1 << bit % 8);
            while (cell.len > 0 && cell.ptr[cell.len - 1] == 0 &&
                   (i->columns[k].form == WITHOUT_ZEROS || i->columns[k].form == ADDRESS))
                cell.len--;
            if (!binlog_value_put(out, &i->table->columns[k], cell)) {
                *column = k;
                return false;
            }
        }
        bit++;
    }
    return true;
}

/* ---- writing ---- */

static bool
begin(struct image_session *session, struct server *s, struct buf *sql, struct sql_error *error)
{
    struct buf description = { 0 };
    char       packet[32];

    if (session->begun)
        return true;
    binlog_describe(&description);
    binlog_statement(sql, buf_unread(&description));
    buf_fini(&description);
    session->begun = image_fires_none(s, error) && server_run_text(s, buf_unread(sql), error) &&
                     server_value(s, packet, sizeof(packet), error, "SELECT @@max_allowed_packet");
    if (session->begun)
        session->packet_max = strtoull(packet, NULL, 10);
    buf_clear(sql);
    return session->begun;
}

struct run {
    struct server    *s;
    struct sql_error *error;
};

static bool
run_one(void *context, struct span sql)
{
    struct run *r = context;

    return server_run_text(r->s, sql, r->error);
}

bool
image_write(struct image_session *session, struct server *s, const struct image *i,
            enum image_event event, struct span rows, struct sql_error *error)
{
    struct buf           sql = { 0 }, description = { 0 };
    struct binlog_format f;
    struct binlog_event  e;
    struct binlog_batch  b;
    enum binlog_run      how = BINLOG_RUN_FAILED;

    binlog_format_init(&f, true);
    binlog_describe(&description);
    if (begin(session, s, &sql, error) &&
        binlog_read(&f, buf_unread(&description), &e) == BINLOG_GOOD &&
        binlog_batch_init(&b, &f, SIZE_MAX)) {
        b.present = buf_unread(&i->present);
        binlog_batch_row(&b, binlog_batch_table(&b, i->table, span_of(i->database),
                                                span_of(i->name)),
                         event == IMAGE_INSERT ? BINLOG_INSERT : BINLOG_DELETE,
                         &(struct binlog_row){ .before = rows, .after = rows });
        binlog_batch_take(&b, &sql);
        binlog_batch_fini(&b);
        how = binlog_run(buf_unread(&sql), session->packet_max, run_one,
                         &(struct run){ s, error });
    }
    buf_fini(&description);
    buf_fini(&sql);
    return how == BINLOG_RUN_DONE || (how == BINLOG_RUN_TOO_LONG &&
           sql_error_set(error, FATAL, "shardd: a row of %s.%s is too large for shard %s: set "
                         "max_allowed_packet there to twice of what it is, and resume the job",
                         i->database, i->name, s->name));
}

/* ---- removing ---- */

static bool
append_images(const struct image *i, json_t *rows, struct buf *out, struct sql_error *error)
{
    struct span *cells = mem_alloc((i->n + 1) * sizeof(*cells));
    uint32_t     column;
    bool         ok = true;
    json_t      *row;
    size_t       at;

    json_array_foreach(rows, at, row) {
        size_t field = 0;

        for (uint32_t k = 0; k < i->n; k++) {
            const json_t *cell = image_has(i, k) ? json_array_get(row, field++) : NULL;

            cells[k] = (struct span){ (const uint8_t *)json_string_value(cell),
                                      json_string_length(cell) };
        }
        ok = ok && (image_row(i, cells, out, &column) ||
                    sql_error_set(error, FATAL, "shardd: table %s.%s has triggers, and a row whose "
                                  "column %s cannot be removed without firing them; drop those of "
                                  "DELETE until it is removed", i->database, i->name,
                                  i->columns[column].name));
    }
    free(cells);
    return ok;
}

static json_t *
lock_rows(struct server *s, const struct image *i, struct span condition, struct sql_error *error)
{
    struct buf  sql = { 0 };
    const char *sep = "SELECT ";

    for (uint32_t k = 0; k < i->n; k++)
        if (image_has(i, k)) {
            buf_append_text(&sql, sep);
            image_read(i, k, &sql);
            sep = ", ";
        }
    json_t *rows = server_rows(s, error, "%.*s FROM %s.%s WHERE %.*s FOR UPDATE",
                               (int)buf_len(&sql), (const char *)buf_unread(&sql).ptr,
                               server_name(i->database), server_name(i->name),
                               (int)condition.len, (const char *)condition.ptr);
    buf_fini(&sql);
    return rows;
}

bool
image_delete(struct image_session *session, struct server *s, const struct image *i,
             struct span condition, uint64_t *removed, struct sql_error *error)
{
    struct buf images = { 0 };
    json_t    *rows   = NULL;

    *removed = 0;
    bool ok = server_run(s, error, "START TRANSACTION") &&
              (rows = lock_rows(s, i, condition, error)) != NULL &&
              append_images(i, rows, &images, error) &&
              (buf_len(&images) == 0 ||
               image_write(session, s, i, IMAGE_DELETE, buf_unread(&images), error)) &&
              server_run(s, error, "COMMIT");
    if (ok)
        *removed = json_array_size(rows);
    json_decref(rows);
    buf_fini(&images);
    return ok;
}
