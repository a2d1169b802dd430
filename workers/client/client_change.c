/* client_change.c - a client starts over, perhaps as somebody else.
 *
 *   COM_RESET_CONNECTION --> what it holds is reset --> OK
 *   COM_CHANGE_USER -------> what it holds is reset --> its proof, as at a login --> OK
 *                                                          |
 *                                                          +--> ERR: it is who it was
 *
 * As MariaDB does it: the session is gone either way, a failed change leaves the client with
 * its former user, schema and character set, and after three of them no more are tried.
 */
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/client/client.h"

enum { ERR_UNKNOWN_COMMAND = 1047 /* ER_UNKNOWN_COM_ERROR */, CHANGES_MAX = 3 };

/* To what the user may, who may have been removed; nobody: to what the settings say. */
static void
limit(struct session *s, uint32_t user)
{
    const struct routes *r = s->ctx->routes->routes;

    if (user == ROUTES_NONE)
        memset(s->limit, 0, sizeof(s->limit));
    else
        memcpy(s->limit, r->users[user].limit, sizeof(s->limit));
}

void
client_change_failed(struct client *c, const struct sql_error *error)
{
    struct client_login *l = c->login;
    struct session      *s = &c->session;

    free(s->user);
    s->user        = l->former_user;
    c->user_key    = l->former_key;
    l->former_user = NULL;
    l->former_key  = 0;
    s->charset     = l->former_charset;
    limit(s, routes_user(c->ctx->routes->routes, span_of(s->user)));
    session_reset(s);
    session_set_schema(s, span_of(l->former_schema));
    client_login_free(c);
    c->failed_changes++;
    timer_stop(ring_timers(c->ctx->ring), &c->timer);
    client_reply_error(c, error);
}

static void
refuse(struct client *c)
{
    struct sql_error error;

    sql_error_set(&error, ERR_UNKNOWN_COMMAND, "Unknown command");
    slot_count(c->ctx->slot, COUNTER_ERRORS_SHARDD);
    client_reply_error(c, &error);
}

static void
find_peer(const struct client *c, struct sock_addr *peer)
{
    struct err err;

    if (c->host == NULL || !sock_parse(peer, c->host, 0, &err))
        *peer = (struct sock_addr){ .len = sizeof(sa_family_t), .addr.ss_family = AF_UNIX };
}

/* From here on it is logging in. */
static void
leave_session(struct client *c, const struct login *login)
{
    struct session      *s = &c->session;
    struct client_login *l = mem_alloc(sizeof(*l));

    l->client         = c;
    l->changing       = true;
    l->former_user    = s->user;
    l->former_schema  = s->schema;
    l->former_charset = s->charset;
    l->former_key     = c->user_key;
    c->user_key       = 0;
    l->proxied        = !c->local;
    find_peer(c, &l->peer);
    list_init(&l->turn);
    memcpy(l->nonce, c->nonce, NONCE_BYTES);
    if (login->schema.len != 0)
        l->schema = mem_strndup(login->schema.ptr, login->schema.len);
    s->user    = NULL;
    s->schema  = NULL;
    s->charset = login->charset != 0 ? login->charset : CHARSET_UTF8MB4_GENERAL_CI;
    limit(s, ROUTES_NONE);
    session_reset(s);
    c->login = l;
    c->state = CLIENT_LOGIN;
    timer_start(ring_timers(c->ctx->ring), &c->timer,
                (uint64_t)c->ctx->conf.login_timeout_s * 1000, client_login_too_long);
}

/* Plugins that are asked before they answer send an empty answer first. */
static bool
has_answered(const struct client_login *l, const struct login *login)
{
    bool dummy = l->plugin == AUTH_SHA2 && login->auth.len <= 1 && l->n_verifiers != 0;

    return client_answers_plugin(l, login) && !dummy;
}

static void
change_user(struct client *c)
{
    struct login login;

    if (!change_user_decode(buf_unread(&c->command), c->claimed, &login) ||
        login.user.len >= sizeof(((struct pool_key *)0)->user) ||
        c->failed_changes >= CHANGES_MAX) {
        refuse(c);
        return;
    }
    leave_session(c, &login);
    client_find_user(c, login.user);
    if (has_answered(c->login, &login))
        client_answer(c, login.auth);
    else if (c->claimed & CLIENT_PLUGIN_AUTH)
        client_ask(c);
    else
        client_deny(c, login.auth.len != 0);
    buf_clear(&c->command);
    spare_give_back(ring_spares(c->ctx->ring), &c->command);
}

/* The session is as after a login. */
static void
go_on(struct client *c)
{
    stmts_clear(&c->stmts);
    named_clear(&c->named_list);
    if (buf_unread(&c->command).ptr[0] == COM_CHANGE_USER)
        change_user(c);
    else
        client_reply_ok(c);
}

static void
forgotten(struct query_run *q)
{
    struct client *c      = q->owner;
    bool           failed = q->failed;

    c->query = NULL;
    query_free(q);
    if (!failed) {
        go_on(c);
    } else { /* KILL QUERY: an error is on its way */
        client_forget(c);
        client_command_done(c);
    }
    client_run(c);
}

static const struct query_ops query_ops = { .done = forgotten };

void
client_start_over(struct client *c)
{
    struct query_run *q;

    if (c->session.n_held == 0) {
        session_reset(&c->session);
        go_on(c);
        return;
    }
    q          = query_new(c->ctx);
    q->s       = &c->session;
    q->client  = &c->stream;
    q->ops     = &query_ops;
    q->owner   = c;
    q->seq     = c->reader.next_seq;
    q->command = QUERY_OTHER;
    q->payload = buf_unread(&c->command);
    q->routes  = routes_hold(c->ctx);
    c->query   = q;
    client_watch_statement(c);
    query_forget(q);
}
