/* lookup_server.c - see lookup_step.h: what servers have for a lookup. */
#include <stdio.h>
#include <stdlib.h>

#include "core/route/column_type.h"
#include "core/route/lookup_text.h"
#include "ctl/catalog/model.h"
#include "ctl/job/lookup_step.h"

#define TRIGGER "shardd lookup "

enum { BYTES_TOLD = 1 << 20 };

bool
lookup_is_trigger(const char *name)
{
    return strncmp(name, TRIGGER, strlen(TRIGGER)) == 0;
}

/* "+users_email_3:..:..;" of the row that `row` is, NEW or OLD; nothing when it has no value. */
static void
put_told(struct buf *out, const json_t *lookup, const char *row, char sign)
{
    const char *const names[]  = { model_text(lookup, "column"), model_text(lookup, "key") };
    const char *const types[]  = { model_text(lookup, "type"), model_text(lookup, "key_type") };
    struct buf        name     = { 0 };

    buf_printf(out, "IF(%s.%s IS NULL, '', CONCAT('%c%s:'", row, server_name(names[0]), sign,
               model_text(lookup, "table"));
    for (size_t i = 0; i < countof(names); i++) {
        buf_clear(&name);
        buf_printf(&name, "%s.%s", row, server_name(names[i]));
        buf_append_text(out, i == 0 ? ", " : ", ':', ");
        lookup_hex_text(column_type_of(span_of(types[i])), buf_cstr(&name), out);
    }
    buf_append_text(out, ", ';'))");
    buf_fini(&name);
}

static bool
make_trigger(struct server *s, const json_t *table, const json_t *lookup, const char *event,
             bool went, bool came, struct sql_error *error)
{
    struct buf sql = { 0 };
    char       name[64];
    bool       ok;

    snprintf(name, sizeof(name), TRIGGER "%lld %s", (long long)model_number(lookup, "number"),
             event);
    buf_printf(&sql, "CREATE TRIGGER IF NOT EXISTS %s.%s AFTER %s ON %s.%s FOR EACH ROW"
               " SET @`shardd lookup` = IF(LENGTH(@`shardd lookup`) > %d, NULL,"
               " CONCAT(@`shardd lookup`",
               server_name(model_text(table, "database")), server_name(name), event,
               server_name(model_text(table, "database")),
               server_name(model_text(table, "name")), BYTES_TOLD);
    if (went && came) {
        buf_append_text(&sql, ", IF(");
        put_told(&sql, lookup, "OLD", ' ');
        buf_append_text(&sql, " = ");
        put_told(&sql, lookup, "NEW", ' ');
        buf_append_text(&sql, ", '', CONCAT(");
    } else {
        buf_append_text(&sql, ", ");
    }
    if (went)
        put_told(&sql, lookup, "OLD", '-');
    buf_append_text(&sql, went && came ? ", " : "");
    if (came)
        put_told(&sql, lookup, "NEW", '+');
    buf_append_text(&sql, went && came ? "))))" : "))");
    ok = server_run_text(s, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

static bool
make_triggers(struct server *s, const json_t *table, const json_t *lookup,
              struct sql_error *error)
{
    return make_trigger(s, table, lookup, "INSERT", false, true, error) &&
           make_trigger(s, table, lookup, "UPDATE", true, true, error) &&
           make_trigger(s, table, lookup, "DELETE", true, false, error);
}

bool
lookup_triggers(struct server *s, const json_t *table, struct sql_error *error)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;
    bool    ok = true;

    json_array_foreach(list, i, one)
        ok = ok && make_triggers(s, table, one, error);
    return ok;
}

bool
lookup_drop_triggers(struct server *s, const json_t *table, const json_t *lookup,
              struct sql_error *error)
{
    static const char *const events[] = { "INSERT", "UPDATE", "DELETE" };
    bool                     ok = true;

    for (size_t i = 0; ok && i < countof(events); i++) {
        char name[64];

        snprintf(name, sizeof(name), TRIGGER "%lld %s",
                 (long long)model_number(lookup, "number"), events[i]);
        ok = server_run(s, error, "DROP TRIGGER IF EXISTS %s.%s",
                        server_name(model_text(table, "database")), server_name(name));
    }
    return ok;
}

/* "varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" */
static bool
column_type(struct server *s, const json_t *table, const char *column, char *out, size_t room,
            struct sql_error *error)
{
    return server_value(s, out, room, error,
                        "SELECT CONCAT(COLUMN_TYPE, IFNULL(CONCAT(' CHARACTER SET ',"
                        " CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME), ''))"
                        " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND"
                        " TABLE_NAME = %s AND COLUMN_NAME = %s",
                        server_text(model_text(table, "database")),
                        server_text(model_text(table, "name")), server_text(column));
}

/* The primary key, which moves want, never meets itself: it is the other key that refuses. */
static bool
make_table(struct server *s, const json_t *table, const json_t *lookup, struct sql_error *error)
{
    char v[300], k[300];

    return column_type(s, table, model_text(lookup, "column"), v, sizeof(v), error) &&
           column_type(s, table, model_text(lookup, "key"), k, sizeof(k), error) &&
           server_run(s, error, "CREATE DATABASE IF NOT EXISTS " ROUTES_LOOKUP_SCHEMA) &&
           server_run(s, error, "CREATE TABLE IF NOT EXISTS " ROUTES_LOOKUP_SCHEMA ".%s (v %s NOT"
                      " NULL, k %s NOT NULL, n BIGINT UNSIGNED NOT NULL DEFAULT UUID_SHORT(),"
                      " PRIMARY KEY (v, k, n), UNIQUE KEY %s (v)) ENGINE=InnoDB",
                      server_name(model_text(lookup, "table")), v, k,
                      server_name(model_text(lookup, "index")));
}

/* The servers only find values by it. */
static bool
free_index(struct server *s, const json_t *table, const json_t *lookup, struct sql_error *error)
{
    const char *index = model_text(lookup, "index"), *column = model_text(lookup, "column");
    const char *where[] = { model_text(table, "database"), model_text(table, "name") };
    char        unique[8];

    if (!server_value(s, unique, sizeof(unique), error,
                      "SELECT NOT NON_UNIQUE FROM information_schema.STATISTICS WHERE"
                      " TABLE_SCHEMA = %s AND TABLE_NAME = %s AND INDEX_NAME = %s LIMIT 1",
                      server_text(where[0]), server_text(where[1]), server_text(index)))
        return false;
    if (unique[0] == '0')
        return true;
    return server_run(s, error, "ALTER TABLE %s.%s %s%s%s ADD INDEX %s (%s)",
                      server_name(where[0]), server_name(where[1]), unique[0] ? "DROP INDEX " : "",
                      unique[0] ? server_name(index) : "", unique[0] ? "," : "",
                      server_name(index), server_name(column));
}

bool
lookup_make_on(struct server *s, const json_t *table, const json_t *lookup,
               struct sql_error *error)
{
    return make_table(s, table, lookup, error) && free_index(s, table, lookup, error) &&
           make_triggers(s, table, lookup, error);
}
