/* engine_functions.c - see engine_sync.h: stored functions of their arguments alone, and
 * functions and procedures that only read.
 *
 * One has the comment "shardd HASH" of all that it was made from; without it it is not finished,
 * or not ours. The definer of a plain one is our account: such a function needs no rights. One
 * that reads has those of who calls it, and so sees nothing but the caller's copies.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/model_routine.h"
#include "ctl/provision/engine_sync.h"
#include "ctl/provision/schema.h"

#define COMMENT "shardd "

/* ---- what is wanted ---- */

/* Of "SELECT, EXECUTE ON `a`.*" "a", where it lets routines of a whole database run. */
static json_t *
database_of(const char *grant)
{
    const char *on  = strstr(grant, " ON `"), *word = strstr(grant, "EXECUTE");
    size_t      len = strlen(grant);
    struct buf  name = { 0 };
    json_t     *out;

    if (!on || len < 3 || strcmp(grant + len - 3, "`.*") != 0 ||
        ((!word || word > on) && strncmp(grant, "ALL PRIVILEGES", 14) != 0))
        return NULL;
    for (const char *at = on + 5; at < grant + len - 3; at++) {
        buf_append_byte(&name, (uint8_t)*at);
        at += at[0] == '`'; /* which is there twice */
    }
    out = json_string(buf_cstr(&name));
    buf_fini(&name);
    return out;
}

static json_t *
rights_of(const json_t *user)
{
    json_t *list = json_object_get(user, "grants"), *grant, *rights = json_object();
    size_t  i;

    if (!list)
        json_object_set_new(rights, "*", json_true());
    json_array_foreach(list, i, grant) {
        json_t *name = database_of(json_string_value(grant) ? json_string_value(grant) : "");

        if (name)
            json_object_set_new(rights, json_string_value(name), json_true());
        json_decref(name);
    }
    return rights;
}

static const struct kind {
    const char *list, *word;
} kinds[] = { { "functions", "FUNCTION" }, { "procedures", "PROCEDURE" } };

/* {database: {name: as in the catalog}} */
static json_t *
wanted_of(json_t *databases, const struct kind *kind)
{
    json_t     *wanted = json_object(), *object, *one;
    const char *name, *routine;

    json_object_foreach(databases, name, object) {
        json_t *list = json_object();

        json_object_foreach(json_object_get(object, kind->list), routine, one)
            if (model_routine_on_engines(one))
                json_object_set(list, routine, one);
        if (json_object_size(list) > 0)
            json_object_set(wanted, name, list);
        json_decref(list);
    }
    return wanted;
}

void
engine_wanted_functions(struct cluster *c, json_t *wanted)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_DATABASE), *object;
    json_t     *execute = json_object();
    const char *name;

    for (size_t i = 0; i < countof(kinds); i++)
        json_object_set_new(wanted, kinds[i].list, wanted_of(all, &kinds[i]));
    json_decref(all);
    /* Before there is any function: a connection that is open does not see what comes later. */
    all = catalog_all(c->catalog, CATALOG_USER);
    json_object_foreach(all, name, object)
        json_object_set_new(execute, name, rights_of(object));
    json_decref(all);
    json_object_set_new(wanted, "execute", execute);
}

/* ---- functions ---- */

static void
comment_of(const json_t *function, char out[40])
{
    char *text = json_dumps(function, JSON_COMPACT | JSON_SORT_KEYS);

    snprintf(out, 40, COMMENT "%016llx",
             (unsigned long long)(text ? XXH3_64bits(text, strlen(text)) : 0));
    free(text);
}

static bool
set_session(struct server *s, const json_t *function, struct sql_error *error)
{
    const char *mode = model_text(function, "sql_mode");
    const char *set  = model_text(function, "charset"), *order = model_text(function, "collation");

    return server_run(s, error, "SET SESSION sql_mode = %s%s",
                      mode[0] || json_is_string(json_object_get(function, "sql_mode"))
                          ? server_text(mode) : "DEFAULT", "") &&
           server_run(s, error, "SET NAMES %s", server_text(set[0] ? set : "utf8mb4")) &&
           (!order[0] || server_run(s, error, "SET collation_connection = %s",
                                    server_text(order)));
}

static bool
make(struct server *s, const struct kind *kind, const char *database, const char *name,
     const json_t *function, struct sql_error *error)
{
    bool        reads = model_flag(function, "reads");
    struct buf  text  = { 0 };
    char        comment[40];
    bool        ok;

    comment_of(function, comment);
    buf_printf(&text, "CREATE OR REPLACE %s %s %s", kind->word, server_name(name),
               model_text(function, "text"));
    ok = server_run(s, error, "USE %s", server_name(database)) &&
         set_session(s, function, error) && server_run_text(s, buf_unread(&text), error);
    buf_fini(&text);
    return server_run(s, ok ? error : &(struct sql_error){ 0 },
                      "SET SESSION sql_mode = DEFAULT, NAMES utf8mb4") && ok &&
           server_run(s, error, "ALTER %s %s%s COMMENT '%s'", kind->word, server_name(name),
                      reads ? " SQL SECURITY INVOKER" : "", comment);
}

/* {database: {name: comment}}, names in small letters. */
static json_t *
there(struct server *s, const struct kind *kind, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT ROUTINE_SCHEMA, LOWER(ROUTINE_NAME),"
                               " ROUTINE_COMMENT FROM information_schema.ROUTINES"
                               " WHERE ROUTINE_TYPE = '%s'", kind->word), *row, *have;
    size_t  i;

    if (!rows)
        return NULL;
    have = json_object();
    json_array_foreach(rows, i, row) {
        const char *database = server_cell(row, 0);

        if (!json_object_get(have, database))
            json_object_set_new_nocheck(have, database, json_object());
        json_object_set_new_nocheck(json_object_get(have, database), server_cell(row, 1),
                                    json_string_nocheck(server_cell(row, 2)));
    }
    json_decref(rows);
    return have;
}

static bool
drop_others(struct server *s, const struct kind *kind, const json_t *have, const json_t *wanted,
            struct sql_error *error)
{
    const char      *database, *name;
    json_t          *list, *comment;
    struct sql_error why;
    bool             ok = true;

    json_object_foreach((json_t *)(uintptr_t)have, database, list)
        json_object_foreach(list, name, comment)
            if (strncmp(json_string_value(comment), COMMENT, strlen(COMMENT)) == 0 &&
                !json_object_get(json_object_get(wanted, database), name))
                engine_part(server_run(s, &why, "DROP %s IF EXISTS %s.%s", kind->word,
                                       server_name(database), server_name(name)), &ok, &why,
                            error);
    return ok;
}

static bool
sync_kind(struct server *s, const struct kind *kind, const json_t *wanted,
          struct sql_error *error)
{
    json_t          *have = there(s, kind, error), *list, *function;
    const char      *database, *name;
    char             comment[40];
    struct sql_error why;
    bool             ok = have && drop_others(s, kind, have, wanted, error);

    json_object_foreach((json_t *)(uintptr_t)(have ? wanted : NULL), database, list)
        json_object_foreach(list, name, function) {
            comment_of(function, comment);
            if (strcmp(model_text(json_object_get(have, database), name), comment) != 0)
                engine_part(make(s, kind, database, name, function, &why), &ok, &why, error);
        }
    json_decref(have);
    return ok;
}

/* ---- rights ---- */

/* {account as information_schema names it: {database or "*": true}} */
static json_t *
rights_there(struct server *s, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT GRANTEE, '*' FROM"
                               " information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE ="
                               " 'EXECUTE' UNION ALL SELECT GRANTEE, TABLE_SCHEMA FROM"
                               " information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE ="
                               " 'EXECUTE'"), *row, *have;
    size_t  i;

    if (!rows)
        return NULL;
    have = json_object();
    json_array_foreach(rows, i, row) {
        const char *account = server_cell(row, 0);

        if (!json_object_get(have, account))
            json_object_set_new_nocheck(have, account, json_object());
        json_object_set_new_nocheck(json_object_get(have, account), server_cell(row, 1),
                                    json_true());
    }
    json_decref(rows);
    return have;
}

/* Those that `from` has and `but` has not. */
static bool
change(struct server *s, const char *user, bool grant, const json_t *from, const json_t *but,
       struct sql_error *error)
{
    const char *database;
    json_t     *yes;
    bool        ok = true;

    json_object_foreach((json_t *)(uintptr_t)from, database, yes) {
        bool all = strcmp(database, "*") == 0;

        if (!json_object_get(but, database))
            ok = ok && server_run(s, error, "%s EXECUTE ON %s.* %s %s", grant ? "GRANT" : "REVOKE",
                                  all ? "*" : server_name(database), grant ? "TO" : "FROM",
                                  account_name(s, user));
    }
    return ok;
}

/* Of the accounts that were made here. */
static bool
sync_rights(struct server *s, const json_t *wanted, struct sql_error *error)
{
    json_t          *have = rights_there(s, error), *ours, *row;
    struct sql_error why;
    bool             ok;
    size_t           i;

    ours = !have ? NULL : server_rows(s, error, "SELECT User FROM mysql.roles_mapping WHERE Host ="
                                      " %s AND Role = '" ENGINE_ROLE "' AND Admin_option = 'N'",
                                      server_text(s->account_host));
    ok   = ours != NULL;
    json_array_foreach(ours, i, row) {
        const char *user   = server_cell(row, 0);
        json_t     *rights = json_object_get(wanted, user);
        json_t     *old    = json_object_get(have, account_name(s, user));

        if (rights)
            engine_part(change(s, user, true, rights, old, &why) &&
                        change(s, user, false, old, rights, &why), &ok, &why, error);
    }
    json_decref(have);
    json_decref(ours);
    return ok;
}

bool
engine_sync_functions(struct server *s, const json_t *wanted, struct sql_error *error)
{
    struct sql_error why;
    bool             ok = sync_rights(s, json_object_get(wanted, "execute"), error);

    for (size_t i = 0; i < countof(kinds); i++)
        engine_part(sync_kind(s, &kinds[i], json_object_get(wanted, kinds[i].list), &why), &ok,
                    &why, error);
    return ok;
}
