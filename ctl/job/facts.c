/* facts.c - information_schema to facts. */
#include <stdlib.h>

#include "core/route/column_type.h"
#include "core/sql/lex.h"
#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/job/view_text.h"

enum { NO_SUCH_TABLE = 1146, COLLATION_BINARY = 63 };

/* In the order of the SELECT in read_columns(). */
enum {
    C_NAME, C_TYPE, C_FULL_TYPE, C_NULLABLE, C_EXTRA, C_DEFAULT, C_COLLATION_ID, C_LENGTH,
    C_PRECISION, C_SCALE, C_FSP, C_GENERATED,
};

static uint32_t
column_length(enum column_type type, const json_t *row)
{
    switch (type) {
    case COLUMN_DECIMAL:
    case COLUMN_BIT:
        return (uint32_t)atoi(server_cell(row, C_PRECISION));
    case COLUMN_TIME:
    case COLUMN_DATETIME:
    case COLUMN_TIMESTAMP:
        return (uint32_t)atoi(server_cell(row, C_FSP));
    case COLUMN_YEAR:
        return strcmp(server_cell(row, C_FULL_TYPE), "year(2)") == 0 ? 2 : 0;
    case COLUMN_OTHER: case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT:
    case COLUMN_INT: case COLUMN_BIGINT: case COLUMN_FLOAT: case COLUMN_DOUBLE:
    case COLUMN_CHAR: case COLUMN_VARCHAR: case COLUMN_TEXT: case COLUMN_BINARY:
    case COLUMN_VARBINARY: case COLUMN_BLOB: case COLUMN_DATE:
    case COLUMN_ENUM: case COLUMN_SET: case COLUMN_JSON: case COLUMN_UUID: case COLUMN_INET4:
    case COLUMN_INET6: case COLUMN_GEOMETRY:
        return (uint32_t)strtoul(server_cell(row, C_LENGTH), NULL, 10);
    }
    return 0;
}

static bool
is_binary(enum column_type type)
{
    return type == COLUMN_BINARY || type == COLUMN_VARBINARY || type == COLUMN_BLOB;
}

/* `variables`: or a system variable. */
static bool
names_one(const char *preset, const char *const *names, size_t n, bool variables)
{
    struct lex   lex;
    struct token t;

    lex_init(&lex, span_of(preset), (struct lex_options){ .charset = LEX_UTF8 });
    while ((t = lex_next(&lex)).kind != TOK_END) {
        if (t.kind == TOK_BAD || (variables && token_is_op(t, OP_SYSTEM_VAR)))
            return true;
        for (size_t i = 0; (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) && i < n; i++)
            if (span_equal_nocase(token_text(&lex, t), span_of(names[i])))
                return true;
    }
    return false;
}

bool
facts_counts(const char *preset)
{
    static const char *const names[] = { "nextval", "lastval", "setval" };

    return names_one(preset, names, countof(names), false);
}

bool
facts_varies(const char *preset)
{
    static const char *const names[] = {
        "uuid", "uuid_short", "sys_guid", "rand", "random_bytes", "encrypt", "sysdate", "sleep",
        "benchmark", "load_file", "connection_id", "last_insert_id", "row_count", "found_rows",
        "user", "current_user", "session_user", "system_user", "current_role", "version",
        "get_lock", "release_lock", "is_free_lock", "is_used_lock", "release_all_locks",
        "master_pos_wait",
    };

    return facts_counts(preset) || names_one(preset, names, countof(names), true);
}

static json_t *
column_of(const json_t *row)
{
    enum column_type    type      = column_type_of(span_of(server_cell(row, C_TYPE)));
    const char         *preset    = server_cell(row, C_DEFAULT);
    int                 collation = atoi(server_cell(row, C_COLLATION_ID));
    struct route_column column    = {
        .name           = span_of(server_cell(row, C_NAME)),
        .type           = type,
        .is_unsigned    = strstr(server_cell(row, C_FULL_TYPE), "unsigned") != NULL &&
                          type != COLUMN_ENUM && type != COLUMN_SET,
        .nullable       = strcmp(server_cell(row, C_NULLABLE), "YES") == 0,
        .auto_increment = strstr(server_cell(row, C_EXTRA), "auto_increment") != NULL,
        .generated      = strcmp(server_cell(row, C_GENERATED), "ALWAYS") == 0,
        .invisible      = strstr(server_cell(row, C_EXTRA), "INVISIBLE") != NULL,
        .has_default    = preset[0] && strcmp(preset, "NULL") != 0,
        .collation      = (uint16_t)(is_binary(type) ? COLLATION_BINARY : collation),
        .length         = column_length(type, row),
        .scale          = (uint8_t)atoi(server_cell(row, C_SCALE)),
    };
    json_t *object = model_column_new(&column);

    json_object_set_new(object, "varies", json_boolean(facts_varies(preset)));
    json_object_set_new(object, "counts", json_boolean(facts_counts(preset)));
    json_object_set_new(object, "on_update",
        json_boolean(strcasestr(server_cell(row, C_EXTRA), "on update") != NULL));
    return object;
}

const char *
facts_collation_id(const struct server *s)
{
    if (mysql_get_server_version(s->mysql) >= 101001)
        return "(SELECT a.ID FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY a"
               " WHERE a.FULL_COLLATION_NAME = c.COLLATION_NAME LIMIT 1)";
    return "(SELECT a.ID FROM information_schema.COLLATIONS a"
           " WHERE a.COLLATION_NAME = c.COLLATION_NAME)";
}

/* Takes the rows. */
static json_t *
columns_of(json_t *rows)
{
    json_t *columns = rows ? json_array() : NULL;
    json_t *row;
    size_t  i;

    json_array_foreach(rows, i, row)
        json_array_append_new(columns, column_of(row));
    json_decref(rows);
    return columns;
}

json_t *
facts_parameters(struct server *s, const char *database, const char *procedure,
                 struct sql_error *error)
{
    json_t *rows = server_rows(s, error,
            "SELECT PARAMETER_NAME, DATA_TYPE, DTD_IDENTIFIER, 'YES', '', NULL,"
            " %s, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE,"
            " DATETIME_PRECISION, 'NEVER' FROM information_schema.PARAMETERS c"
            " WHERE SPECIFIC_SCHEMA = %s AND SPECIFIC_NAME = %s AND ROUTINE_TYPE = 'PROCEDURE'"
            " ORDER BY ORDINAL_POSITION",
            facts_collation_id(s), server_text(database), server_text(procedure));

    return columns_of(rows);
}

static json_t *
read_columns(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    json_t *rows    = server_rows(s, error,
            "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, COLUMN_DEFAULT,"
            " %s, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE,"
            " DATETIME_PRECISION, IS_GENERATED FROM information_schema.COLUMNS c"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
            facts_collation_id(s), server_text(database), server_text(table));

    return columns_of(rows);
}

/* The last object of `list` when its name is this one, else a new one. */
static json_t *
group(json_t *list, const char *name)
{
    json_t *last = json_array_get(list, json_array_size(list) - 1);

    if (last && strcmp(model_text(last, "name"), name) == 0)
        return last;
    last = json_pack("{s:[]}", "columns");
    model_set(last, "name", name);
    json_array_append_new(list, last);
    return last;
}

static void
append_name(json_t *object, const char *member, const char *name)
{
    json_t *list = json_object_get(object, member);

    if (!list) {
        list = json_array();
        json_object_set_new(object, member, list);
    }
    json_array_append_new(list, json_string_nocheck(name));
}

static json_t *
read_keys(struct server *s, const char *database, const char *table, struct sql_error *error)
{
    json_t *rows = server_rows(s, error,
            "SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART"
            " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
            " ORDER BY INDEX_NAME, SEQ_IN_INDEX", server_text(database), server_text(table));
    json_t *keys = rows ? json_array() : NULL;
    json_t *row;
    size_t  i;

    json_array_foreach(rows, i, row) {
        json_t *key   = group(keys, server_cell(row, 0));
        json_t *whole = json_object_get(key, "whole");

        if (!whole) {
            whole = json_array();
            json_object_set_new(key, "whole", whole);
        }
        json_object_set_new(key, "unique", json_boolean(server_cell(row, 1)[0] == '0'));
        append_name(key, "columns", server_cell(row, 2));
        json_array_append_new(whole, json_boolean(server_cell(row, 3)[0] == '\0'));
    }
    json_decref(rows);
    return keys;
}

static json_t *
read_foreign(struct server *s, const char *database, const char *table, const char *probe,
             struct sql_error *error)
{
    const char *in   = probe ? probe : database;
    json_t     *rows = server_rows(s, error,
            "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA,"
            " REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
            " FROM information_schema.KEY_COLUMN_USAGE"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL"
            " ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION", server_text(in), server_text(table));
    json_t     *list = rows ? json_array() : NULL;
    json_t     *row;
    size_t      i;

    json_array_foreach(rows, i, row) {
        json_t     *foreign = group(list, server_cell(row, 0));
        const char *schema  = server_cell(row, 2);

        append_name(foreign, "columns", server_cell(row, 1));
        append_name(foreign, "references", server_cell(row, 4));
        model_set(foreign, "database", strcmp(schema, in) == 0 ? database : schema);
        model_set(foreign, "table", server_cell(row, 3));
    }
    json_decref(rows);
    return list;
}

/* The catalog keeps the columns, and not the keys. */
static void
note_primary(json_t *facts)
{
    json_t *list = json_object_get(facts_primary(facts), "columns"), *name;
    size_t  i;

    json_array_foreach(list, i, name)
        json_object_set_new((json_t *)(uintptr_t)facts_column(facts, json_string_value(name)),
                            "primary", json_integer((json_int_t)i + 1));
}

void
facts_view(const json_t *facts, json_t *object)
{
    model_set(object, "view_text", model_text(facts, "view_text"));
    json_object_set_new(object, "view_unchecked",
                        json_boolean(model_flag(facts, "view_unchecked")));
    json_object_set_new(object, "view_materialized",
                        json_boolean(model_flag(facts, "view_materialized")));
    json_object_set_new(object, "view_collation",
                        json_integer(model_number(facts, "view_collation")));
}

json_t *
facts_read(struct server *s, const char *database, const char *table, const char *probe,
           struct sql_error *error)
{
    const char *in = probe ? probe : database;
    json_t     *columns, *keys, *foreign, *facts, *row;
    json_t     *rows = server_rows(s, error,
            "SELECT TABLE_COMMENT, AUTO_INCREMENT, TABLE_TYPE FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", server_text(in), server_text(table));

    if (!rows)
        return NULL;
    row = json_array_get(rows, 0);
    if (!row) {
        json_decref(rows);
        sql_error_set(error, NO_SUCH_TABLE, "Table '%s.%s' doesn't exist", database, table);
        return NULL;
    }
    columns = read_columns(s, in, table, error);
    keys    = columns ? read_keys(s, in, table, error) : NULL;
    foreign = keys ? read_foreign(s, database, table, probe, error) : NULL;
    facts   = json_pack("{s:o*, s:o*, s:o*}", "columns", columns, "keys", keys, "foreign",
                        foreign);
    note_primary(facts);
    model_set(facts, "comment", server_cell(row, 0));
    json_object_set_new(facts, "auto_increment",
                        json_integer(strtoll(server_cell(row, 1), NULL, 10)));
    json_object_set_new(facts, "is_view", json_boolean(strcmp(server_cell(row, 2), "VIEW") == 0));
    json_decref(rows);
    if (foreign && (!model_flag(facts, "is_view") || view_text_read(s, in, table, facts, error)))
        return facts;
    json_decref(facts);
    return NULL;
}

const json_t *
facts_column(const json_t *facts, const char *name)
{
    json_t *list = json_object_get(facts, "columns"), *column;
    size_t  i;

    json_array_foreach(list, i, column)
        if (strcasecmp(model_text(column, "name"), name) == 0)
            return column;
    return NULL;
}

const json_t *
facts_primary(const json_t *facts)
{
    json_t *list = json_object_get(facts, "keys"), *key;
    size_t  i;

    json_array_foreach(list, i, key)
        if (strcmp(model_text(key, "name"), "PRIMARY") == 0)
            return key;
    return NULL;
}

const char *
facts_auto_increment(const json_t *facts)
{
    json_t *list = json_object_get(facts, "columns"), *column;
    size_t  i;

    json_array_foreach(list, i, column)
        if (model_flag(column, "auto_increment"))
            return model_text(column, "name");
    return "";
}

size_t
facts_find(const json_t *names, const char *name)
{
    json_t *value;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)names, i, value)
        if (strcasecmp(json_string_value(value), name) == 0)
            return i;
    return SIZE_MAX;
}

bool
facts_definition(struct server *s, const char *database, const char *table, struct buf *out,
                 struct sql_error *error)
{
    json_t     *rows = server_rows(s, error, "SHOW CREATE TABLE %s.%s", server_name(database),
                                   server_name(table));
    const char *text = server_cell(json_array_get(rows, 0), 1);
    const char *at   = strstr(text, " AUTO_INCREMENT=");
    bool        ok   = rows != NULL;

    buf_clear(out);
    if (at) {
        buf_append(out, text, (size_t)(at - text));
        at += strlen(" AUTO_INCREMENT=");
        text = at + strspn(at, "0123456789");
    }
    buf_append_text(out, text);
    json_decref(rows);
    return ok;
}
