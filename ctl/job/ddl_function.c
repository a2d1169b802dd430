/* ddl_function.c - stored functions and procedures.
 *
 * One of its arguments alone (core/route/function_class.h) is made on every shard and on the
 * engines, and workers use it wherever rows are. Any other one, and every procedure, is on its
 * database's home.
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
#include "ctl/catalog/model_routine.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/moving.h"

enum { DRAIN_MS = 5000 };

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
    return model_function_class(f->before) == FUNCTION_PLAIN;
}

/* ---- the catalog ---- */

static json_t *
database_of(const struct function *f)
{
    return catalog_get(f->d->c->catalog, CATALOG_DATABASE, f->t->database, NULL);
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
    if (!job_commit(change, d->error))
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

static json_t *
describe_procedure(const struct function *f, enum function_class *class)
{
    const struct ddl_request *r    = f->d->request;
    json_t                   *what = json_object();

    *class = FUNCTION_UNKNOWN;
    if (may_be_seen(f))
        *class = model_routine_see(r->sql, ddl_lex_options(r), what);
    model_set(what, "class", function_class_name(*class));
    return what;
}

static json_t *
describe(const struct function *f, enum function_class *class)
{
    const struct ddl_request *r    = f->d->request;
    struct lex_options        lex  = ddl_lex_options(r);
    json_t                   *what = json_object(), *text;
    uint32_t                  tail = 0;

    *class = function_classify(r->sql, lex, &tail);
    if (*class == FUNCTION_PLAIN) {
        struct span body = span_from(r->sql, tail);

        text = json_stringn((const char *)body.ptr, body.len);
        if (text && may_be_plain(f)) {
            json_object_set(what, "text", text);
            model_set(what, "sql_mode", r->sql_mode);
            model_set(what, "charset", r->charset);
            model_set(what, "collation", r->collation);
        } else {
            *class = FUNCTION_UNKNOWN;
        }
        json_decref(text);
    }
    if (*class != FUNCTION_PLAIN && may_be_seen(f))
        (void)model_routine_see(r->sql, lex, what);
    model_set(what, "class", function_class_name(*class));
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

        if (s && !server_run(s, &ignored, "DROP FUNCTION IF EXISTS %s.%s",
                             server_name(f->t->database), server_name(f->t->name)))
            job_note(&d->job, "the function stays on %s", s->name);
    }
}

static bool
make(const struct function *f, enum function_class class, json_t *what)
{
    struct ddl *d     = f->d;
    bool        plain = class == FUNCTION_PLAIN;
    size_t      done  = 0;

    if (plain)
        drop_others(f); /* what a controller left that died */
    if (!run(f, plain ? DDL_ALL : f->t->home, &done)) {
        if (done > 0)
            ddl_undo(d, DDL_ALL, "DROP FUNCTION IF EXISTS %s.%s", server_name(f->t->database),
                     server_name(f->t->name));
        else
            remember(f);
        return false;
    }
    d->end = JOB_STUCK;
    if (!plain && was_everywhere(f))
        drop_others(f);
    return put(f, what);
}

static bool
create(const struct function *f)
{
    struct ddl         *d = f->d;
    enum function_class class;
    json_t             *what = f->d->stmt->object == KW_PROCEDURE ? describe_procedure(f, &class)
                                                                  : describe(f, &class);
    bool                there = false, ok;
    size_t              done;

    ok = is_there(f, &there);
    if (ok && there && !d->stmt->or_replace) { /* an error, or with IF NOT EXISTS a note */
        json_decref(what);
        return run(f, f->t->home, &done);
    }
    if (class != FUNCTION_PLAIN)
        ok = ok && !ddl_names_spread(d) && !ddl_names_moving(d) &&
             ddl_note_code(d, f->t->database);
    ok = ok && forget(f) && make(f, class, what);
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
    if (was_everywhere(f))
        drop_others(f);
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
