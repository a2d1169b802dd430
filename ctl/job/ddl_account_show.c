/* ddl_account_show.c - SHOW GRANTS and SHOW CREATE USER, from the catalog.
 *
 * The accounts on the shards have secrets and a role of shardd's own; what one server would
 * show for the client's account is what the catalog has. Users have no host, so it is '%'.
 */
#include <ctype.h>
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/account_words.h"

enum {
    NO_DATABASE_RIGHT = 1044, /* ER_DBACCESS_DENIED_ERROR */
    NO_MATCH          = 1133, /* ER_PASSWORD_NO_MATCH */
    NO_SUCH_GRANT     = 1141, /* ER_NONEXISTING_GRANT */
};

static void
put_user(struct buf *out, const char *name)
{
    words_put_name(out, name, false);
    buf_append_text(out, "@`%`");
}

/* IDENTIFIED ..., with the verifier that the user's password is checked against. */
static void
put_proof(struct buf *out, const json_t *user)
{
    const char *verifier = model_text(user, "verifier");
    char        other[160];

    if (!verifier[0] && model_plugin(user) == AUTH_NATIVE)
        return;
    switch (model_plugin(user)) {
    case AUTH_NATIVE:
        buf_append_text(out, " IDENTIFIED BY PASSWORD '*");
        for (; *verifier; verifier++)
            buf_append_byte(out, (uint8_t)toupper((unsigned char)*verifier));
        buf_append_byte(out, '\'');
        return;
    case AUTH_ED25519:
        user_identified(user, other);
        buf_printf(out, " IDENTIFIED VIA %s", other[0] ? other : "ed25519");
        return;
    case AUTH_SHA2: buf_append_text(out, " IDENTIFIED VIA caching_sha2_password"); return;
    case AUTH_PLUGINS: return;
    }
}

static void
put_limit(struct buf *out, const json_t *user)
{
    int64_t connections = model_number(user, "max_connections");
    int64_t time_ms     = model_number(user, "statement_timeout_ms");

    if (connections > 0 || time_ms > 0)
        buf_append_text(out, " WITH");
    if (connections > 0)
        buf_printf(out, " MAX_USER_CONNECTIONS %lld", (long long)connections);
    if (time_ms > 0)
        buf_printf(out, " MAX_STATEMENT_TIME %.6f", (double)time_ms / 1000);
}

static void
add_row(json_t *rows, struct buf *text)
{
    json_array_append_new(rows, json_pack("[o]", json_stringn_nocheck(buf_cstr(text),
                                                                      buf_len(text))));
    buf_clear(text);
}

static void
add_grant(json_t *rows, const char *what, const char *name)
{
    struct buf text = { 0 };

    buf_printf(&text, "GRANT %s TO ", what);
    put_user(&text, name);
    add_row(rows, &text);
    buf_fini(&text);
}

/* A user without a list has all rights on every database. */
static void
add_all(struct ddl *d, json_t *rows, const char *name)
{
    json_t     *all = catalog_all(d->c->catalog, CATALOG_DATABASE), *ignored;
    const char *database;

    json_object_foreach(all, database, ignored) {
        struct buf what = { 0 };

        buf_append_text(&what, "ALL PRIVILEGES ON ");
        words_put_name(&what, database, true);
        buf_append_text(&what, ".*");
        add_grant(rows, buf_cstr(&what), name);
        buf_fini(&what);
    }
    json_decref(all);
}

static json_t *
grant_rows(struct ddl *d, const json_t *user, const char *name)
{
    json_t    *rows = json_array(), *list = json_object_get(user, "grants"), *grant;
    struct buf text = { 0 };
    size_t     i;

    buf_printf(&text, "GRANT %s ON *.* TO ",
               model_flag(user, "admin") ? "RELOAD, PROCESS, BINLOG MONITOR" : "USAGE");
    put_user(&text, name);
    put_proof(&text, user);
    put_limit(&text, user);
    add_row(rows, &text);
    if (list == NULL)
        add_all(d, rows, name);
    json_array_foreach(list, i, grant)
        add_grant(rows, json_string_value(grant), name);
    buf_fini(&text);
    return rows;
}

static json_t *
create_rows(const json_t *user, const char *name)
{
    json_t    *rows = json_array();
    struct buf text = { 0 };

    buf_append_text(&text, "CREATE USER ");
    put_user(&text, name);
    put_proof(&text, user);
    put_limit(&text, user);
    if (model_flag(user, "locked"))
        buf_append_text(&text, " ACCOUNT LOCK");
    add_row(rows, &text);
    buf_fini(&text);
    return rows;
}

static bool
may_look(struct ddl *d, const char *whose)
{
    const char *own = d->request->user;

    return own == NULL || strcmp(own, whose) == 0 || account_is_admin(d) ||
           sql_error_set(d->error, NO_DATABASE_RIGHT, "Access denied for user '%s'@'%%' to "
                         "database 'mysql'", own);
}

bool
account_show(struct words *w)
{
    struct ddl *d      = w->d;
    const char *whose  = d->request->user ? d->request->user : "";
    bool        grants = words_accept_all(w, "SHOW GRANTS");
    bool        named  = grants ? words_accept(w, "FOR")
                                : words_accept_all(w, "SHOW CREATE USER") && !words_at_end(w);
    char        title[160];

    if ((named && !words_user(w, &whose)) || !words_at_end(w))
        return words_misread(w);
    if (!may_look(d, whose))
        return false;
    json_t *user = catalog_get(d->c->catalog, CATALOG_USER, whose, NULL);
    if (user == NULL)
        return grants ? sql_error_set(d->error, NO_SUCH_GRANT, "There is no such grant defined "
                                      "for user '%s' on host '%%'", whose)
                      : sql_error_set(d->error, NO_MATCH,
                                      "Can't find any matching row in the user table");
    snprintf(title, sizeof(title), "%s for %.100s@%%", grants ? "Grants" : "CREATE USER", whose);
    d->answer->columns = json_pack("[[o, s]]", json_string_nocheck(title), "text");
    d->answer->rows    = grants ? grant_rows(d, user, whose) : create_rows(user, whose);
    json_decref(user);
    return true;
}
