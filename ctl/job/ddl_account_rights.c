/* ddl_account_rights.c - GRANT and REVOKE: on databases of the catalog and what is in them,
 * never on the whole server or on its own schemas, so that nobody gets more than an
 * administrator of shardd has. */
#include "ctl/catalog/model.h"
#include "ctl/job/account_words.h"
#include "ctl/job/admin.h"

/* Those that a database, or something in it, can have. */
static const char *const rights[] = {
    "ALL PRIVILEGES", "ALL", "SELECT", "INSERT", "UPDATE", "DELETE HISTORY", "DELETE",
    "CREATE TEMPORARY TABLES", "CREATE VIEW", "CREATE ROUTINE", "CREATE", "DROP", "REFERENCES",
    "INDEX", "ALTER ROUTINE", "ALTER", "LOCK TABLES", "EXECUTE", "SHOW VIEW", "EVENT", "TRIGGER",
    "USAGE",
};

/* Those of a whole server. */
static const char *const server_rights[] = {
    "SUPER", "PROCESS", "RELOAD", "SHUTDOWN", "FILE", "CREATE USER", "CREATE TABLESPACE",
    "SHOW DATABASES", "BINLOG", "REPLICATION", "CONNECTION", "READ_ONLY", "FEDERATED", "SET USER",
    "GRANT OPTION", "PROXY", "SLAVE", "REPLICA",
};

static bool
refuse_right(struct words *w)
{
    for (size_t i = 0; i < countof(server_rights); i++)
        if (words_accept_all(w, server_rights[i]))
            return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                                 "shardd: %s is a right over whole servers, which no user of "
                                 "shardd has; administrators (shardctl user add --admin) manage "
                                 "users and see what others run", server_rights[i]);
    if (w->t.kind == TOK_IDENT || w->t.kind == TOK_QUOTED || w->t.kind == TOK_STRING)
        return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                             "shardd: roles are not supported: GRANT and REVOKE rights user by "
                             "user");
    return words_misread(w);
}

static bool
read_columns(struct words *w, struct buf *out)
{
    const char *separator = " (";

    do {
        const char *column = words_name(w);
        if (column == NULL)
            return words_misread(w);
        buf_append_text(out, separator);
        words_put_name(out, column, false);
        separator = ", ";
    } while (words_accept_op(w, ','));
    if (!words_accept_op(w, ')'))
        return words_misread(w);
    buf_append_byte(out, ')');
    return true;
}

/* SELECT (a, b), UPDATE, ... */
static bool
read_rights(struct words *w, struct buf *out)
{
    do {
        size_t i = 0;
        while (i < countof(rights) && !words_accept_all(w, rights[i]))
            i++;
        if (i == countof(rights))
            return refuse_right(w);
        buf_printf(out, "%s%s", buf_len(out) != 0 ? ", " : "", rights[i]);
        if (words_accept_op(w, '(') && !read_columns(w, out))
            return false;
    } while (words_accept_op(w, ','));
    return true;
}

/* The database that a name in GRANT means: with \_ for _ it is a pattern. */
static const char *
find_database(struct ddl *d, const char *text)
{
    struct buf  plain = { 0 };
    const char *found = NULL;
    json_t     *there;

    for (const char *p = text; *p; p++) {
        if (*p == '\\' && (p[1] == '_' || p[1] == '%' || p[1] == '\\'))
            p++;
        buf_append_byte(&plain, (uint8_t)*p);
    }
    there = catalog_get(d->c->catalog, CATALOG_DATABASE, buf_cstr(&plain), NULL);
    if (there != NULL)
        found = arena_cstr(&d->arena, buf_unread(&plain));
    else
        sql_error_set(d->error, DDL_BAD_DB, "Unknown database '%s' (shardd: rights are given on "
                      "its databases, one by one, and not by patterns)", text);
    json_decref(there);
    buf_fini(&plain);
    return found;
}

/* db.*, *, db.table, table; behind TABLE, FUNCTION or PROCEDURE. */
static bool
read_object(struct words *w, struct buf *out)
{
    struct ddl *d     = w->d;
    const char *first = NULL, *second = NULL;
    bool        routine = words_at(w, "FUNCTION") || words_at(w, "PROCEDURE");

    if (routine || words_at(w, "TABLE")) {
        buf_append_span(out, token_text(&w->l, w->t));
        buf_append_byte(out, ' ');
        words_take(w);
    }
    bool star = words_accept_op(w, '*');
    if (!star && (first = words_name(w)) == NULL)
        return words_misread(w);
    bool dot = words_accept_op(w, '.');
    if (star && dot)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: rights on *.* would reach the "
                             "servers' own schemas: give them on databases (GRANT ... ON db.*)");
    if (dot)
        star = words_accept_op(w, '*');
    if (dot && !star && (second = words_name(w)) == NULL)
        return words_misread(w);
    if (star && routine)
        return words_misread(w);
    const char *database = dot ? first : d->request->database;
    if (!database[0])
        return sql_error_set(d->error, DDL_NO_DB, "No database selected");
    database = find_database(d, database);
    if (database == NULL)
        return false;
    words_put_name(out, database, star);
    buf_append_text(out, ".");
    if (star)
        buf_append_text(out, "*");
    else
        words_put_name(out, dot ? second : first, false);
    return true;
}

/* WITH GRANT OPTION, REQUIRE, IDENTIFIED... */
static bool
behind_users(struct words *w)
{
    if (words_at_end(w))
        return true;
    if (words_accept_all(w, "WITH GRANT OPTION"))
        return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                             "shardd: GRANT OPTION is not supported: rights are given by the "
                             "administrators of shardd (shardctl user add --admin)");
    if (words_at(w, "IDENTIFIED"))
        return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                             "shardd: GRANT makes no users and changes no passwords: use CREATE "
                             "USER or ALTER USER");
    return words_misread(w);
}

bool
account_rights(struct words *w, bool grant)
{
    struct ddl *d    = w->d;
    struct buf  text = { 0 };
    const char *whose;
    const char *names[ACCOUNT_NAMES_MAX];
    size_t      n  = 0;
    bool        ok = read_rights(w, &text) && (words_accept(w, "ON") || words_misread(w));

    if (ok)
        buf_append_text(&text, " ON ");
    ok = ok && read_object(w, &text) &&
         (words_accept(w, grant ? "TO" : "FROM") || words_misread(w));
    do {
        ok = ok && (n < ACCOUNT_NAMES_MAX || words_misread(w)) && words_user(w, &whose);
        if (ok)
            names[n++] = whose;
    } while (ok && words_accept_op(w, ','));
    ok = ok && behind_users(w) && account_may(d);
    for (size_t i = 0; ok && i < n; i++)
        ok = admin_user_rights(d->c, account_who(d), names[i], grant, buf_cstr(&text), d->error);
    buf_fini(&text);
    return ok;
}
