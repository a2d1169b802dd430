/* ddl_account.c - CREATE, ALTER, DROP, RENAME USER and SET PASSWORD through shardd.
 *
 * They act on the catalog and on all shards, as 'shardctl user' does. Only a user who is
 * an administrator of shardd may give them; everybody may change the own password.
 */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/account_words.h"
#include "ctl/job/admin.h"

enum { ACCESS_DENIED = 1227 /* ER_SPECIFIC_ACCESS_DENIED_ERROR */ };

/* How somebody proves who it is, as written. */
struct proof {
    bool             given;
    enum auth_plugin plugin;
    bool             plugin_given;
    const char      *password; /* NULL: `verifier` */
    char             verifier[USER_VERIFIER_LEN + 1];
};

/* What stands behind the users of CREATE and ALTER USER. */
struct wishes {
    int     locked; /* -1: not said */
    json_t *limits; /* owned; see user.h */
};

/* --- who may ------------------------------------------------------------- */

bool
account_is_admin(struct ddl *d)
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

bool
account_may(struct ddl *d)
{
    return account_is_admin(d) ||
           sql_error_set(d->error, ACCESS_DENIED, "Access denied; you need (at least one of) the "
                         "CREATE USER privilege(s) for this operation (shardd: users are managed "
                         "by its administrators: shardctl user add --admin)");
}

const char *
account_who(const struct ddl *d)
{
    return d->request->user ? d->request->user : "controller";
}

/* --- passwords ----------------------------------------------------------- */

static bool
plugin_of(struct words *w, struct proof *out)
{
    const char *name = words_name(w);

    out->plugin_given = true;
    if (name == NULL)
        return words_misread(w);
    return auth_plugin_find(span_of(name), &out->plugin) ||
           sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                         "shardd: users prove their passwords by mysql_native_password, "
                         "caching_sha2_password or client_ed25519, not by '%.64s'", name);
}

/* 'hash' as MariaDB prints it: the verifier itself. */
static bool
read_hash(struct words *w, struct proof *out)
{
    const char      *hash   = w->t.kind == TOK_STRING ? words_name(w) : NULL;
    const char      *server = out->plugin == AUTH_ED25519 ? "ed25519" : "mysql_native_password";
    enum auth_plugin found;

    out->password = NULL;
    if (hash == NULL)
        return words_misread(w);
    if (out->plugin == AUTH_SHA2 || !user_verifier_of(server, hash, &found, out->verifier) ||
        found != out->plugin || (hash[0] && !out->verifier[0]))
        return sql_error_set(w->d->error, 1372, "Password hash should be a %s",
                             out->plugin == AUTH_NATIVE ? "41-digit hexadecimal number"
                                                        : "hash of its plugin: give the password "
                                                          "itself");
    return true;
}

/* PASSWORD('text') */
static bool
read_password_call(struct words *w, struct proof *out)
{
    if (!words_accept(w, "PASSWORD") || !words_accept_op(w, '(') || w->t.kind != TOK_STRING)
        return words_misread(w);
    out->password = words_name(w);
    return (out->password != NULL && words_accept_op(w, ')')) || words_misread(w);
}

/* IDENTIFIED BY 'text', BY PASSWORD 'hash', VIA plugin [USING 'hash' | USING PASSWORD('text') |
 * BY 'text']. */
static bool
identified(struct words *w, struct proof *out)
{
    *out = (struct proof){ .plugin = AUTH_NATIVE };
    if (!words_accept(w, "IDENTIFIED"))
        return true;
    out->given    = true;
    out->password = "";
    if (words_accept(w, "VIA") || words_accept(w, "WITH")) {
        if (!plugin_of(w, out))
            return false;
        if (words_accept(w, "USING") || words_accept(w, "AS"))
            return words_at(w, "PASSWORD") ? read_password_call(w, out) : read_hash(w, out);
        if (!words_accept(w, "BY"))
            return true;
    } else if (!words_accept(w, "BY"))
        return words_misread(w);
    if (words_accept(w, "PASSWORD"))
        return read_hash(w, out);
    out->password = w->t.kind == TOK_STRING ? words_name(w) : NULL;
    return out->password != NULL || words_misread(w);
}

static bool
set_password(struct ddl *d, const char *whose, struct proof *proof)
{
    struct password_change change = {
        .password = proof->password,
        .verifier = proof->password == NULL ? proof->verifier : NULL,
        .plugin   = proof->plugin_given || proof->password == NULL ? &proof->plugin : NULL,
    };
    bool own = d->request->user != NULL && strcmp(whose, d->request->user) == 0;

    return (own || account_may(d)) &&
           admin_user_password(d->c, account_who(d), whose, &change, d->error);
}

/* SET PASSWORD [FOR user] = PASSWORD('text') | 'hash' */
static bool
run_set_password(struct words *w)
{
    const char  *whose = w->d->request->user ? w->d->request->user : "";
    struct proof proof = { .plugin = AUTH_NATIVE };

    if (!words_accept_all(w, "SET PASSWORD") || (words_accept(w, "FOR") && !words_user(w, &whose)))
        return words_misread(w);
    if (!words_accept_op(w, '=') ||
        !(words_at(w, "PASSWORD") ? read_password_call(w, &proof) : read_hash(w, &proof)) ||
        !words_at_end(w))
        return words_misread(w);
    return set_password(w->d, whose, &proof);
}

/* --- what stands behind users --------------------------------------------- */

static bool
refuse_expiry(struct words *w)
{
    return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                         "shardd: passwords do not expire: change one with SET PASSWORD, or keep "
                         "its user out with ALTER USER ... ACCOUNT LOCK");
}

static bool
read_limit(struct words *w, struct wishes *out)
{
    static const struct {
        const char *word, *limit; /* NULL: there is none such */
        int64_t     factor;
    } words[] = {
        { "MAX_USER_CONNECTIONS", "max_connections", 1 },
        { "MAX_STATEMENT_TIME", "statement_timeout_ms", 1000 },
        { "MAX_QUERIES_PER_HOUR", NULL, 0 },
        { "MAX_UPDATES_PER_HOUR", NULL, 0 },
        { "MAX_CONNECTIONS_PER_HOUR", NULL, 0 },
    };
    size_t  i = 0;
    int64_t n = 0;

    while (i < countof(words) && !words_accept(w, words[i].word))
        i++;
    if (i == countof(words) || !words_number(w, &n))
        return words_misread(w);
    if (words[i].limit != NULL)
        json_object_set_new(out->limits, words[i].limit, json_integer(n * words[i].factor));
    return words[i].limit != NULL || n == 0 ||
           sql_error_set(w->d->error, SQL_NOT_SUPPORTED, "shardd: %s is not supported: "
                         "MAX_USER_CONNECTIONS and MAX_STATEMENT_TIME are, and what 'shardctl user "
                         "set --help' says", words[i].word);
}

/* REQUIRE NONE, WITH MAX_USER_CONNECTIONS n, ACCOUNT LOCK, PASSWORD EXPIRE NEVER ... */
static bool
read_wishes(struct words *w, struct wishes *out)
{
    if (words_accept(w, "REQUIRE") && !words_accept(w, "NONE"))
        return sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                             "shardd: REQUIRE for one user is not supported: "
                             "require_secure_transport and tls_require_client_cert in shardd.conf "
                             "are for all");
    if (words_accept(w, "WITH"))
        do {
            if (!read_limit(w, out))
                return false;
        } while (!words_at_end(w) && !words_at(w, "ACCOUNT") && !words_at(w, "PASSWORD"));
    while (!words_at_end(w)) {
        if (words_accept_all(w, "ACCOUNT LOCK"))
            out->locked = 1;
        else if (words_accept_all(w, "ACCOUNT UNLOCK"))
            out->locked = 0;
        else if (words_accept_all(w, "PASSWORD EXPIRE")) {
            if (!words_accept(w, "NEVER") && !words_accept(w, "DEFAULT"))
                return refuse_expiry(w);
        } else
            return words_misread(w);
    }
    return true;
}

static bool
has_wishes(const struct wishes *wishes)
{
    return wishes->locked >= 0 || json_object_size(wishes->limits) > 0;
}

static bool
set_wishes(struct ddl *d, const char *whose, const struct wishes *wishes)
{
    struct user_change change = { .limits = wishes->limits, .locked = wishes->locked };

    if (!has_wishes(wishes))
        return true;
    return account_may(d) && admin_user_set(d->c, account_who(d), whose, &change, d->error);
}

/* --- users --------------------------------------------------------------- */

struct named {
    size_t       n;
    const char  *name[ACCOUNT_NAMES_MAX];
    struct proof proof[ACCOUNT_NAMES_MAX];
};

static bool
exists(struct ddl *d, const char *whose)
{
    json_t *there = catalog_get(d->c->catalog, CATALOG_USER, whose, NULL);

    json_decref(there);
    return there != NULL;
}

static bool
cannot(struct ddl *d, const char *verb, const char *whose)
{
    return sql_error_set(d->error, ACCOUNT_CANNOT_USER, "Operation %s USER failed for '%s'@'%%'",
                         verb, whose);
}

/* user [IDENTIFIED ...], ... */
static bool
read_users(struct words *w, struct named *out)
{
    out->n = 0;
    do {
        if (out->n == ACCOUNT_NAMES_MAX || !words_user(w, &out->name[out->n]) ||
            !identified(w, &out->proof[out->n]))
            return words_misread(w);
        out->n++;
    } while (words_accept_op(w, ','));
    return true;
}

static bool
create_one(struct ddl *d, const char *whose, struct proof *proof, const struct wishes *wishes)
{
    bool some = proof->password != NULL ? proof->password[0] != '\0'
                                        : proof->verifier[0] != '\0';

    if (some && proof->password != NULL)
        user_verifier(proof->plugin, proof->password, proof->verifier);
    return admin_user_add(d->c, account_who(d), whose, proof->plugin,
                          some ? proof->verifier : NULL, ADMIN_USER_NO_RIGHTS, NULL, d->error) &&
           set_wishes(d, whose, wishes);
}

static bool
run_create_user(struct words *w, bool or_replace, struct wishes *wishes)
{
    struct ddl   *d             = w->d;
    bool          if_not_exists = words_accept_all(w, "IF NOT EXISTS");
    struct named *users         = arena_alloc(&d->arena, sizeof(*users));

    if (!read_users(w, users) || !read_wishes(w, wishes))
        return words_misread(w);
    if (!account_may(d))
        return false;
    for (size_t i = 0; i < users->n; i++) {
        const char *whose = users->name[i];
        if (exists(d, whose)) {
            if (if_not_exists) {
                ddl_note(d, 1973, "Can't create user '%s'@'%%'; it already exists", whose);
                continue;
            }
            if (!or_replace)
                return cannot(d, "CREATE", whose);
            if (!admin_user_remove(d->c, account_who(d), whose, d->error))
                return false;
        }
        if (!create_one(d, whose, &users->proof[i], wishes))
            return false;
    }
    return true;
}

static bool
run_alter_user(struct words *w, struct wishes *wishes)
{
    struct ddl   *d         = w->d;
    bool          if_exists = words_accept_all(w, "IF EXISTS");
    struct named *users     = arena_alloc(&d->arena, sizeof(*users));

    if (!read_users(w, users) || !read_wishes(w, wishes))
        return words_misread(w);
    for (size_t i = 0; i < users->n; i++) {
        const char *whose = users->name[i];
        if (!exists(d, whose)) {
            if (!account_may(d))
                return false;
            if (!if_exists)
                return cannot(d, "ALTER", whose);
            ddl_note(d, ACCOUNT_CANNOT_USER, "Operation ALTER USER failed for '%s'@'%%'", whose);
        } else if ((users->proof[i].given && !set_password(d, whose, &users->proof[i])) ||
                   (!users->proof[i].given && !has_wishes(wishes) && !account_may(d)) ||
                   !set_wishes(d, whose, wishes))
            return false;
    }
    return true;
}

static bool
run_drop_user(struct words *w)
{
    struct ddl *d         = w->d;
    bool        if_exists = words_accept_all(w, "IF EXISTS");
    const char *names[ACCOUNT_NAMES_MAX];
    size_t      n = 0;

    do {
        if (n == ACCOUNT_NAMES_MAX || !words_user(w, &names[n]))
            return words_misread(w);
        n++;
    } while (words_accept_op(w, ','));
    if (!words_at_end(w))
        return words_misread(w);
    if (!account_may(d))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (exists(d, names[i])) {
            if (!admin_user_remove(d->c, account_who(d), names[i], d->error))
                return false;
        } else if (!if_exists)
            return cannot(d, "DROP", names[i]);
        else
            ddl_note(d, 1974, "Can't drop user '%s'@'%%'; it doesn't exist", names[i]);
    }
    return true;
}

/* a TO b, ... */
static bool
run_rename_user(struct words *w)
{
    struct ddl *d = w->d;
    const char *from[ACCOUNT_NAMES_MAX], *to[ACCOUNT_NAMES_MAX];
    size_t      n = 0;

    do {
        if (n == ACCOUNT_NAMES_MAX || !words_user(w, &from[n]) || !words_accept(w, "TO") ||
            !words_user(w, &to[n]))
            return words_misread(w);
        n++;
    } while (words_accept_op(w, ','));
    if (!words_at_end(w))
        return words_misread(w);
    if (!account_may(d))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!exists(d, from[i]) || exists(d, to[i]))
            return cannot(d, "RENAME", from[i]);
        if (!admin_user_rename(d->c, account_who(d), from[i], to[i], d->error))
            return false;
    }
    return true;
}

bool
ddl_is_account(const struct stmt *s)
{
    bool object = s->kind == STMT_OBJECT &&
                  (s->object == KW_USER || s->object == KW_ROLE || s->object == NO_KEYWORD);
    bool show = s->kind == STMT_SHOW &&
                (s->show->kind == KW_GRANTS ||
                 (s->show->kind == KW_CREATE && s->show->object == KW_USER));

    return object || show || (s->kind == STMT_SET && s->set->items != NULL &&
                              s->set->items->kind == SET_PASSWORD);
}

static bool
run_user(struct words *w)
{
    struct wishes wishes  = { .locked = -1, .limits = json_object() };
    bool          replace = words_accept_all(w, "CREATE OR REPLACE USER");
    bool          ok;

    if (replace || words_accept_all(w, "CREATE USER"))
        ok = run_create_user(w, replace, &wishes);
    else
        ok = words_accept_all(w, "ALTER USER") ? run_alter_user(w, &wishes) : words_misread(w);
    json_decref(wishes.limits);
    return ok;
}

bool
ddl_account(struct ddl *d, struct lex_options options)
{
    struct words w = words_of(d, options);

    d->error->code = 0;
    if (d->stmt->kind == STMT_OBJECT && d->stmt->object == KW_ROLE)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: roles are not supported: GRANT "
                             "and REVOKE rights user by user");
    if (words_at(&w, "SHOW"))
        return account_show(&w);
    if (words_at(&w, "SET"))
        return run_set_password(&w);
    if (words_accept(&w, "GRANT"))
        return account_rights(&w, true);
    if (words_accept(&w, "REVOKE"))
        return account_rights(&w, false);
    if (words_at(&w, "CREATE") || words_at(&w, "ALTER"))
        return run_user(&w);
    if (words_accept_all(&w, "DROP USER"))
        return run_drop_user(&w);
    if (words_accept_all(&w, "RENAME USER"))
        return run_rename_user(&w);
    return words_misread(&w);
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
    words_put_name(&all, database, true);
    buf_append_text(&all, ".*");
    json_array_foreach(list, i, grant)
        ok = ok || strcmp(json_string_value(grant), buf_cstr(&all)) == 0;
    json_decref(user);
    buf_fini(&all);
    return ok || sql_error_set(d->error, 1044, "Access denied for user '%s'@'%%' to database '%s'",
                               d->request->user, database);
}
