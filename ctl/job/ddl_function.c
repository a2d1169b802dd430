/* ddl_function.c - stored functions and procedures.
 *
 * One of its arguments alone (core/route/function_class.h), and one that by its words only reads
 * (core/route/routine_reads.h), is made on every shard and on the engines, and workers use it
 * wherever rows are. A procedure whose statements are known (core/route/routine_body.h) is on
 * every shard as well: perhaps all of them keep to the key that a CALL gives. Any other one is on
 * its database's home.
 *
 *   forgotten by the routes --> drained --> changed on the shards --> engines, then routes
 *
 * So no statement meets an old one here and a new one there; a controller that is killed in
 * between leaves one that is refused until it is made again.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/route/function_class.h"
#include "core/route/routine_body.h"
#include "core/route/routine_reads.h"
#include "ctl/catalog/model_routine.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/moving.h"
#include "ctl/provision/engines.h"

enum {
    DRAIN_MS = 5000,
    BODY_MAX = 65536, /* bytes of statements that the routes have; no longer ones */
};

struct function {
    struct ddl             *d;
    const struct ddl_table *t;                  /* its names */
    char                    key[DDL_NAME_MAX];  /* the name in small letters */
    const char             *list, *word;        /* "functions" and "FUNCTION", or procedures */
    json_t                 *before;             /* owned: what the catalog knew; NULL: nothing */
};

static bool
was_everywhere(const struct function *f)
{
    return model_routine_everywhere(f->before);
}

/* ---- the catalog ---- */

static json_t *
database_of(const struct function *f)
{
    return catalog_get(f->d->c->catalog, CATALOG_DATABASE, f->t->database, NULL);
}

static bool put(const struct function *f, json_t *what);

/* Before workers use it there: an engine that was away has the one of before. */
static bool
told_engines(const struct function *f, const json_t *what)
{
    struct ddl *d = f->d;
    char        who[64];

    if (!model_routine_on_engines(what) || engines_agree(d->c, who))
        return true;
    (void)put(f, NULL);
    return sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: the engine %s does not answer, and "
                         "may have another %s %.64s: it is on the shards now, and refused until it "
                         "is made again (CREATE OR REPLACE) when the engine is back or removed",
                         who, f->word, f->t->name);
}

/* What is known of it from now on; NULL: nothing. */
static bool
put(const struct function *f, json_t *what)
{
    struct ddl            *d      = f->d;
    struct catalog_change *change = catalog_begin(d->c->catalog, d->request->user
                                                                     ? d->request->user
                                                                     : "controller");
    json_t                *object = catalog_read(change, CATALOG_DATABASE, f->t->database, NULL);
    json_t                *list;
    struct err             err;

    if (!json_object_get(object, f->list))
        json_object_set_new(object, f->list, json_object());
    list = json_object_get(object, f->list);
    if (what)
        json_object_set(list, f->key, what);
    else
        json_object_del(list, f->key);
    catalog_put(change, CATALOG_DATABASE, f->t->database, object, CATALOG_ANY);
    cluster_bump(d->c, change, "generation");
    json_decref(object);
    if (!job_commit(change, d->error) || (what && !told_engines(f, what)))
        return false;
    return cluster_publish(d->c, &err) || job_fail(d->error, &err);
}

/* Nobody uses it any more. */
static bool
forget(const struct function *f)
{
    if (!f->before)
        return true;
    if (!put(f, NULL))
        return false;
    if (!publish_drained(f->d->c->publisher, DRAIN_MS))
        log_warn("the %s %s.%s changes while statements of before are still under way", f->word,
                 f->t->database, f->t->name);
    return true;
}

/* Nothing has happened to it after all. The error stays. */
static void
remember(const struct function *f)
{
    struct sql_error kept = *f->d->error;

    if (f->before && !put(f, f->before))
        log_warn("the %s %s.%s has to be made again", f->word, f->t->database, f->t->name);
    *f->d->error = kept;
}

/* ---- classes ---- */

/* In such a text bytes mean the same letters to every server of ours. */
static bool
reads_anywhere(const struct ddl_request *r)
{
    const char *charset = r->charset ? r->charset : "utf8mb4";

    return span_is_ascii(r->sql) || strncasecmp(charset, "utf8", 4) == 0;
}

/* A plain function is of no use where its name could be another's. */
static bool
may_be_plain(const struct function *f)
{
    const struct ddl_request *r    = f->d->request;
    const char               *mode = r->sql_mode ? r->sql_mode : "";

    return reads_anywhere(r) && span_is_ascii(span_of(f->t->name)) &&
           !function_name_is_builtin(span_of(f->t->name)) && !strcasestr(mode, "ORACLE");
}

/* In ORACLE's dialect the words mean other things. */
static bool
may_be_seen(const struct function *f)
{
    const struct ddl_request *r = f->d->request;

    return reads_anywhere(r) && span_is_ascii(span_of(f->t->name)) &&
           !strcasestr(r->sql_mode ? r->sql_mode : "", "ORACLE");
}

/* As the engines make it anew. */
static bool
set_text(const struct function *f, uint32_t tail, json_t *what)
{
    const struct ddl_request *r    = f->d->request;
    struct span               body = span_from(r->sql, tail);
    json_t                   *text = json_stringn((const char *)body.ptr, body.len);

    if (!text)
        return false;
    json_object_set_new(what, "text", text);
    model_set(what, "sql_mode", r->sql_mode);
    model_set(what, "charset", r->charset);
    model_set(what, "collation", r->collation);
    return true;
}

/* Its statements, where they read the same under every sql_mode that a session may have. */
static void
set_body(struct span sql, struct lex_options lex, json_t *what)
{
    enum routine_use uses[ROUTINE_PARAMETERS_MAX];
    struct buf       body = { 0 };
    uint32_t         n;

    if (!lex.ansi_quotes && !lex.no_backslash_escapes && !lex.pipes_as_concat &&
        !lex.high_not_precedence && routine_body(sql, lex, uses, &n, &body) &&
        buf_len(&body) <= BODY_MAX) {
        json_t *text = json_stringn((const char *)buf_unread(&body).ptr, buf_len(&body));
        json_t *list = json_array();

        for (uint32_t i = 0; i < n; i++)
            json_array_append_new(list, json_integer(uses[i]));
        if (text)
            json_object_set_new(what, "body", text);
        json_object_set_new(what, "uses_of", list);
    }
    buf_fini(&body);
}

/* As its home has them, now that it is made. */
static bool
set_parameters(const struct function *f, json_t *what)
{
    struct server *s    = ddl_us(f->d, ddl_index(f->d, f->t->home));
    json_t        *list = !json_object_get(what, "body") ? NULL
                          : s ? facts_parameters(s, f->t->database, f->t->name, f->d->error)
                              : NULL;

    if (list)
        json_object_set_new(what, "parameters", list);
    return list || !json_object_get(what, "body");
}

/* What it names, whether it only reads, and its statements. */
static enum function_class
see_words(const struct function *f, json_t *what)
{
    const struct ddl_request *r    = f->d->request;
    struct lex_options        lex  = ddl_lex_options(r);
    uint32_t                  tail = 0;
    enum function_class       class;

    if (!may_be_seen(f))
        return FUNCTION_UNKNOWN;
    class = model_routine_see(r->sql, lex, what);
    if (class == FUNCTION_HOME && routine_reads(r->sql, lex, &tail) && set_text(f, tail, what))
        json_object_set_new(what, "reads", json_true());
    if (class == FUNCTION_HOME || class == FUNCTION_ENDS)
        set_body(r->sql, lex, what);
    return class;
}

static json_t *
describe(const struct function *f)
{
    const struct ddl_request *r    = f->d->request;
    json_t                   *what = json_object();
    uint32_t                  tail = 0;
    enum function_class       class, seen = FUNCTION_UNKNOWN;

    class = function_classify(r->sql, ddl_lex_options(r), &tail);
    if (class == FUNCTION_PLAIN && (!may_be_plain(f) || !set_text(f, tail, what)))
        class = FUNCTION_UNKNOWN;
    if (class != FUNCTION_PLAIN)
        seen = see_words(f, what);
    if (f->d->stmt->object == KW_PROCEDURE)
        class = seen;
    model_set(what, "class", function_class_name(class));
    return what;
}

/* ---- statements ---- */

static bool
is_there(const struct function *f, bool *yes)
{
    struct server *s = ddl_us(f->d, ddl_index(f->d, f->t->home));
    char           n[24];

    if (!s || !server_value(s, n, sizeof(n), f->d->error, "SELECT COUNT(*) FROM"
                            " information_schema.ROUTINES WHERE ROUTINE_TYPE = %s AND"
                            " ROUTINE_SCHEMA = %s AND ROUTINE_NAME = %s", server_text(f->word),
                            server_text(f->t->database), server_text(f->t->name)))
        return false;
    *yes = strcmp(n, "0") != 0;
    return true;
}

static bool
run(const struct function *f, int64_t where, size_t *done)
{
    return ddl_run_text(f->d, f->d->request->sql, f->t->home, where, done);
}

/* From the shards that are not its home. */
static void
drop_others(const struct function *f)
{
    struct ddl      *d = f->d;
    struct sql_error ignored;

    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s = i == ddl_index(d, f->t->home) ? NULL : ddl_us(d, i);

        if (s && !server_run(s, &ignored, "DROP %s IF EXISTS %s.%s", f->word,
                             server_name(f->t->database), server_name(f->t->name)))
            job_note(&d->job, "the routine stays on %s", s->name);
    }
}

static bool
make(const struct function *f, json_t *what)
{
    struct ddl *d          = f->d;
    bool        everywhere = model_routine_everywhere(what);
    size_t      done       = 0;

    bool ok = run(f, f->t->home, &done);
    if (ok)
        drop_others(f); /* what a controller left that died, or of before */
    if (!ok || (everywhere && !ddl_run_others(d, d->request->sql, f->t->home, &done)) ||
        !set_parameters(f, what)) {
        if (done > 0)
            ddl_undo(d, DDL_ALL, "DROP %s IF EXISTS %s.%s", f->word, server_name(f->t->database),
                     server_name(f->t->name));
        else
            remember(f);
        return false;
    }
    d->end = JOB_STUCK;
    return put(f, what);
}

static bool
create(const struct function *f)
{
    struct ddl *d     = f->d;
    json_t     *what  = describe(f);
    bool        there = false, ok;
    size_t      done;

    ok = is_there(f, &there);
    if (ok && there && !d->stmt->or_replace) { /* an error, or with IF NOT EXISTS a note */
        json_decref(what);
        return run(f, f->t->home, &done);
    }
    if (model_function_class(what) != FUNCTION_PLAIN)
        ok = ok && (model_routine_everywhere(what) || !ddl_names_spread(d)) &&
             (model_function_class(what) != FUNCTION_UNKNOWN || code_calls_home(d)) &&
             code_may_spread(d, f->t) && !ddl_names_moving(d) && ddl_note_code(d, f->t->database);
    ok = ok && forget(f) && make(f, what);
    json_decref(what);
    return ok;
}

static bool
drop(const struct function *f)
{
    size_t done;

    if (!forget(f))
        return false;
    if (!run(f, f->t->home, &done)) {
        remember(f);
        return false;
    }
    drop_others(f); /* it may have been there before ALTER DATABASE, too */
    return true;
}

bool
ddl_function(struct ddl *d, const struct ddl_table *t)
{
    bool            procedure = d->stmt->object == KW_PROCEDURE;
    struct function f         = { .d = d, .t = t, .list = procedure ? "procedures" : "functions",
                                  .word = procedure ? "PROCEDURE" : "FUNCTION" };
    json_t         *database;
    size_t          done;
    bool            ok;

    for (size_t i = 0; t->name[i] != '\0'; i++)
        f.key[i] = (char)tolower((unsigned char)t->name[i]);
    database = database_of(&f);
    f.before = json_incref(json_object_get(json_object_get(database, f.list), f.key));
    if (d->stmt->word == KW_CREATE)
        ok = create(&f);
    else if (d->stmt->word == KW_DROP)
        ok = drop(&f);
    else /* ALTER: its comment, and by whose rights it runs */
        ok = run(&f, was_everywhere(&f) ? DDL_ALL : t->home, &done);
    json_decref(f.before);
    json_decref(database);
    return ok;
}
