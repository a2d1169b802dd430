/* ddl_account.c - CREATE, ALTER, DROP USER, SET PASSWORD, GRANT and REVOKE through shardd.
 *
 * They act on the catalog and on all shards, as 'shardctl user' does. Only a user who is
 * an administrator of shardd may give them; everybody may change the own password. What
 * they mean is read here and said anew: no word of the client reaches a server as it is.
 * Rights are on databases of the catalog and what is in them, never on the whole server
 * or on its own schemas, so that nobody gets more than an administrator of shardd has.
 */
#include <stdio.h>

#include "core/sql/literal.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl_step.h"

enum {
    CANNOT_USER   = 1396, /* ER_CANNOT_USER */
    ACCESS_DENIED = 1227, /* ER_SPECIFIC_ACCESS_DENIED_ERROR */
    SYNTAX        = 1064, /* ER_PARSE_ERROR */
    NAMES_MAX     = 64,
};

struct words {
    struct ddl  *d;
    struct lex   l;
    struct token t;
};

static struct words
words_of(struct ddl *d, struct lex_options options)
{
    struct words w = { .d = d };

    lex_init(&w.l, d->request->sql, options);
    w.t = lex_next(&w.l);
    return w;
}

static void
take(struct words *w)
{
    w->t = lex_next(&w->l);
}

static bool
at(const struct words *w, const char *word)
{
    return (w->t.kind == TOK_IDENT || w->t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(&w->l, w->t), span_of(word));
}

static bool
accept(struct words *w, const char *word)
{
    if (!at(w, word))
        return false;
    take(w);
    return true;
}

static bool
accept_op(struct words *w, char op)
{
    if (!token_is_op(w->t, (uint32_t)op))
        return false;
    take(w);
    return true;
}

static bool
at_end(const struct words *w)
{
    return w->t.kind == TOK_END || token_is_op(w->t, ';');
}

static bool
misread(struct words *w)
{
    struct span rest = span_from((struct span){ w->l.text, w->l.len },
                                 w->t.start < w->l.len ? w->t.start : w->l.len);

    return sql_error_set(w->d->error, at_end(w) ? SYNTAX : SQL_NOT_SUPPORTED,
                         "shardd: this statement about accounts is not understood, or not "
                         "supported, near '%.*s': see Users in shardctl(8)",
                         (int)(rest.len < 60 ? rest.len : 60),
                         (const char *)rest.ptr);
}

/* A name or a string; NULL: neither. */
static const char *
name(struct words *w)
{
    struct buf  text = { 0 };
    const char *out  = NULL;
    bool        ok   = true;

    if (w->t.kind == TOK_STRING)
        ok = literal_decode(token_text(&w->l, w->t), w->t.kind, w->l.options, &text);
    else if (w->t.kind == TOK_IDENT || w->t.kind == TOK_QUOTED || w->t.kind == TOK_KEYWORD)
        literal_name(token_text(&w->l, w->t), w->l.options, &text);
    else
        return NULL;
    if (ok && memchr(buf_cstr(&text), 0, buf_len(&text)) == NULL)
        out = arena_cstr(&w->d->arena, buf_unread(&text));
    buf_fini(&text);
    take(w);
    return out;
}

/* user, 'user'@'%', CURRENT_USER[()]. False with the error set. */
static bool
user(struct words *w, const char **out)
{
    if (accept(w, "CURRENT_USER")) {
        if (accept_op(w, '(') && !accept_op(w, ')'))
            return misread(w);
        *out = w->d->request->user ? w->d->request->user : "";
        return true;
    }
    *out = name(w);
    if (*out == NULL)
        return misread(w);
    if (w->t.kind != TOK_USER_VAR)
        return true;
    struct buf host = { 0 };
    literal_name(token_text(&w->l, w->t), w->l.options, &host);
    bool any = span_equal(buf_unread(&host), SPAN("%"));
    buf_fini(&host);
    take(w);
    return any || sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                                "shardd: users of shardd have no host: leave it out, or write "
                                "'%%'");
}

/* --- who may ------------------------------------------------------------- */

static bool
is_admin(struct ddl *d)
{
    json_t *who;
    bool    admin;

    if (d->request->user == NULL)
        return true; /* shardctl itself */
    who   = catalog_get(d->c->catalog, CATALOG_USER, d->request->user, NULL);
    admin = who != NULL && model_flag(who, "admin");
    json_decref(who);
    return admin;
}

static bool
may(struct ddl *d)
{
    return is_admin(d) ||
           sql_error_set(d->error, ACCESS_DENIED, "Access denied; you need (at least one of) the "
                         "CREATE USER privilege(s) for this operation (shardd: users are managed "
                         "by its administrators: shardctl user add --admin)");
}

static const char *
who(const struct ddl *d)
{
    return d->request->user ? d->request->user : "controller";
}

/* --- passwords ----------------------------------------------------------- */

/* IDENTIFIED BY 'text'. */
static bool
identified(struct words *w, const char **password)
{
    *password = NULL;
    if (!accept(w, "IDENTIFIED"))
        return true;
    if (!accept(w, "BY") || w->t.kind != TOK_STRING)
        return misread(w);
    *password = name(w);
    return *password != NULL || misread(w);
}

static bool
set_password(struct ddl *d, const char *whose, const char *password)
{
    struct password_change change = { .password = password };
    bool own = d->request->user != NULL && strcmp(whose, d->request->user) == 0;

    return (own || may(d)) && admin_user_password(d->c, who(d), whose, &change, d->error);
}

/* SET PASSWORD [FOR user] = PASSWORD('text') */
static bool
run_set_password(struct words *w)
{
    const char *whose = w->d->request->user ? w->d->request->user : "", *password;

    if (!accept(w, "SET") || !accept(w, "PASSWORD") || (accept(w, "FOR") && !user(w, &whose)))
        return misread(w);
    if (!accept_op(w, '=') || !accept(w, "PASSWORD") || !accept_op(w, '(') ||
        w->t.kind != TOK_STRING)
        return misread(w);
    password = name(w);
    if (password == NULL || !accept_op(w, ')') || !at_end(w))
        return misread(w);
    return set_password(w->d, whose, password);
}

static bool
run_alter_user(struct words *w)
{
    const char *whose, *password;

    if (at(w, "IF") || !user(w, &whose) || !identified(w, &password) || password == NULL ||
        !at_end(w))
        return w->d->error->code != 0 ? false : misread(w);
    return set_password(w->d, whose, password);
}

/* --- users --------------------------------------------------------------- */

static bool
exists(struct ddl *d, const char *whose)
{
    json_t *there = catalog_get(d->c->catalog, CATALOG_USER, whose, NULL);

    json_decref(there);
    return there != NULL;
}

static bool
create_one(struct words *w, const char *whose, const char *password, bool if_not_exists)
{
    struct ddl *d = w->d;
    char        verifier[USER_VERIFIER_LEN + 1];

    if (exists(d, whose)) {
        if (if_not_exists)
            return ddl_note(d, 1973, "Can't create user '%s'@'%%'; it already exists", whose);
        return sql_error_set(d->error, CANNOT_USER, "Operation CREATE USER failed for '%s'@'%%'",
                             whose);
    }
    if (password != NULL && password[0] != '\0')
        user_verifier(AUTH_NATIVE, password, verifier);
    return admin_user_add(d->c, who(d), whose, AUTH_NATIVE,
                          password != NULL && password[0] != '\0' ? verifier : NULL,
                          ADMIN_USER_NO_RIGHTS, NULL, d->error);
}

static bool
run_create_user(struct words *w)
{
    bool        if_not_exists = accept(w, "IF");
    const char *names[NAMES_MAX], *passwords[NAMES_MAX];
    size_t      n = 0;

    if (if_not_exists && (!accept(w, "NOT") || !accept(w, "EXISTS")))
        return misread(w);
    do {
        if (n == NAMES_MAX || !user(w, &names[n]) || !identified(w, &passwords[n]))
            return w->d->error->code != 0 ? false : misread(w);
        n++;
    } while (accept_op(w, ','));
    if (!at_end(w))
        return misread(w);
    if (!may(w->d))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!create_one(w, names[i], passwords[i], if_not_exists))
            return false;
    return true;
}

static bool
run_drop_user(struct words *w)
{
    struct ddl *d         = w->d;
    bool        if_exists = accept(w, "IF");
    const char *names[NAMES_MAX];
    size_t      n = 0;

    if (if_exists && !accept(w, "EXISTS"))
        return misread(w);
    do {
        if (n == NAMES_MAX || !user(w, &names[n]))
            return d->error->code != 0 ? false : misread(w);
        n++;
    } while (accept_op(w, ','));
    if (!at_end(w))
        return misread(w);
    if (!may(d))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (exists(d, names[i])) {
            if (!admin_user_remove(d->c, who(d), names[i], d->error))
                return false;
        } else if (!if_exists)
            return sql_error_set(d->error, CANNOT_USER, "Operation DROP USER failed for '%s'@'%%'",
                                 names[i]);
        else
            ddl_note(d, 1974, "Can't drop user '%s'@'%%'; it doesn't exist", names[i]);
    }
    return true;
}

/* --- rights -------------------------------------------------------------- */

/* Those that a database, or something in it, can have. */
static const char *const rights[] = {
    "ALL PRIVILEGES", "ALL", "SELECT", "INSERT", "UPDATE", "DELETE HISTORY", "DELETE",
    "CREATE TEMPORARY TABLES", "CREATE VIEW", "CREATE ROUTINE", "CREATE", "DROP", "REFERENCES",
    "INDEX", "ALTER ROUTINE", "ALTER", "LOCK TABLES", "EXECUTE", "SHOW VIEW", "EVENT", "TRIGGER",
    "USAGE",
};

static bool
accept_words(struct words *w, const char *words)
{
    struct words before = *w;
    char         one[16];

    while (*words) {
        size_t len = strcspn(words, " ");
        snprintf(one, sizeof(one), "%.*s", (int)len, words);
        if (!accept(w, one)) {
            *w = before;
            return false;
        }
        words += len + (words[len] == ' ');
    }
    return true;
}

static void
put_name(struct buf *out, const char *text, bool pattern)
{
    buf_append_byte(out, '`');
    for (; *text; text++) {
        if (*text == '`')
            buf_append_byte(out, '`');
        if (pattern && (*text == '_' || *text == '%' || *text == '\\'))
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '`');
}

/* SELECT (a, b), UPDATE, ... */
static bool
read_rights(struct words *w, struct buf *out)
{
    do {
        size_t i = 0;
        while (i < countof(rights) && !accept_words(w, rights[i]))
            i++;
        if (i == countof(rights))
            return misread(w);
        buf_printf(out, "%s%s", buf_len(out) != 0 ? ", " : "", rights[i]);
        if (!accept_op(w, '('))
            continue;
        const char *separator = " (";
        do {
            const char *column = name(w);
            if (column == NULL)
                return misread(w);
            buf_append_text(out, separator);
            put_name(out, column, false);
            separator = ", ";
        } while (accept_op(w, ','));
        if (!accept_op(w, ')'))
            return misread(w);
        buf_append_byte(out, ')');
    } while (accept_op(w, ','));
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
    bool        routine = at(w, "FUNCTION") || at(w, "PROCEDURE");

    if (routine || at(w, "TABLE")) {
        buf_append_span(out, token_text(&w->l, w->t));
        buf_append_byte(out, ' ');
        take(w);
    }
    bool star = accept_op(w, '*');
    if (!star && (first = name(w)) == NULL)
        return misread(w);
    bool dot = accept_op(w, '.');
    if (star && dot)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: rights on *.* would reach the "
                             "servers' own schemas: give them on databases (GRANT ... ON db.*)");
    if (dot)
        star = accept_op(w, '*');
    if (dot && !star && (second = name(w)) == NULL)
        return misread(w);
    if (star && routine)
        return misread(w);
    const char *database = dot ? first : d->request->database;
    if (!database[0])
        return sql_error_set(d->error, DDL_NO_DB, "No database selected");
    database = find_database(d, database);
    if (database == NULL)
        return false;
    put_name(out, database, star);
    buf_append_text(out, ".");
    if (star)
        buf_append_text(out, "*");
    else
        put_name(out, dot ? second : first, false);
    return true;
}

static bool
run_rights(struct words *w, bool grant)
{
    struct ddl *d    = w->d;
    struct buf  text = { 0 };
    const char *whose;
    const char *names[NAMES_MAX];
    size_t      n  = 0;
    bool        ok = read_rights(w, &text) && (accept(w, "ON") || misread(w));

    if (ok)
        buf_append_text(&text, " ON ");
    ok = ok && read_object(w, &text) && (accept(w, grant ? "TO" : "FROM") || misread(w));
    do {
        ok = ok && (n < NAMES_MAX || misread(w)) && user(w, &whose);
        if (ok)
            names[n++] = whose;
    } while (ok && accept_op(w, ','));
    ok = ok && (at_end(w) || misread(w)) && may(d);
    for (size_t i = 0; ok && i < n; i++)
        ok = admin_user_rights(d->c, who(d), names[i], grant, buf_cstr(&text), d->error);
    buf_fini(&text);
    return ok;
}

bool
ddl_is_account(const struct stmt *s)
{
    bool object = s->kind == STMT_OBJECT &&
                  (s->object == KW_USER || s->object == KW_ROLE || s->object == NO_KEYWORD);

    return object || (s->kind == STMT_SET && s->set->items != NULL &&
                      s->set->items->kind == SET_PASSWORD);
}

bool
ddl_account(struct ddl *d, struct lex_options options)
{
    struct words w = words_of(d, options);

    if (at(&w, "SET"))
        return run_set_password(&w);
    if (accept(&w, "GRANT"))
        return run_rights(&w, true);
    if (accept(&w, "REVOKE"))
        return run_rights(&w, false);
    if (accept_words(&w, "CREATE USER"))
        return run_create_user(&w);
    if (accept_words(&w, "ALTER USER"))
        return run_alter_user(&w);
    if (accept_words(&w, "DROP USER"))
        return run_drop_user(&w);
    return misread(&w);
}

/* Creates, changes and drops databases: users of explicit rights need them. */
bool
ddl_may_database(struct ddl *d, const char *database)
{
    json_t    *user = d->request->user
                          ? catalog_get(d->c->catalog, CATALOG_USER, d->request->user, NULL) : NULL;
    json_t    *list = json_object_get(user, "grants"), *grant;
    struct buf all  = { 0 };
    bool       ok   = user == NULL || list == NULL || model_flag(user, "admin");
    size_t     i;

    buf_append_text(&all, "ALL PRIVILEGES ON ");
    put_name(&all, database, true);
    buf_append_text(&all, ".*");
    json_array_foreach(list, i, grant)
        ok = ok || strcmp(json_string_value(grant), buf_cstr(&all)) == 0;
    json_decref(user);
    buf_fini(&all);
    return ok || sql_error_set(d->error, 1044, "Access denied for user '%s'@'%%' to database '%s'",
                               d->request->user, database);
}
