/* fsck_routine.c - stored functions and procedures that every shard has: are they there, and alike?
 *
 * The home's is the one that counts; another shard gets it from there.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/model_routine.h"
#include "ctl/job/fsck_step.h"
#include "ctl/job/shard.h"

static const struct kind {
    const char *list, *word;
} kinds[] = { { "functions", "FUNCTION" }, { "procedures", "PROCEDURE" } };

/* Without its definer, whose host may be called otherwise there. */
static const char *
without_definer(const char *text, const char *word)
{
    char        name[16];
    const char *at;

    snprintf(name, sizeof(name), " %s `", word);
    at = strstr(text, name);
    return at ? at : text;
}

/* [sql_mode, text, charset, collation], owned by the caller; NULL: it is not there. */
static json_t *
text_of(struct server *s, const char *word, const char *database, const char *name)
{
    struct sql_error ignored;
    json_t          *rows = server_rows(s, &ignored, "SHOW CREATE %s %s.%s", word,
                                        server_name(database), server_name(name)), *row, *out;

    if (!rows)
        return NULL;
    row = json_array_get(rows, 0);
    out = json_pack("[s, s, s, s]", server_cell(row, 1), without_definer(server_cell(row, 2), word),
                    server_cell(row, 3), server_cell(row, 4));
    json_decref(rows);
    return out;
}

static void
look(struct fsck *f, struct server *home, const struct kind *kind, const char *database,
     const char *name)
{
    json_t *right = text_of(home, kind->word, database, name), *text;
    char    what[400];

    if (!right)
        fsck_problem(f, database, home->name, "the %s %s.%s is not there, on its database's home",
                     kind->word, database, name);
    for (uint32_t i = 0; right && i < f->routes->n_shards; i++) {
        struct server *s = &f->server[i];

        if (!s->mysql || s == home)
            continue;
        text = text_of(s, kind->word, database, name);
        if (!json_equal(text, right)) {
            fsck_problem(f, database, s->name, "the %s %s.%s is %s", kind->word, database, name,
                         text ? "another one than on its database's home" : "not there");
            snprintf(what, sizeof(what), "make the %s %.80s.%.80s as it is on %.80s", kind->word,
                     database, name, home->name);
            json_array_append_new(f->repairs,
                                  json_pack("{s:s, s:s, s:[s, s, s, s]}", "shard", s->name, "what",
                                            what, "routine", home->name, kind->word, database,
                                            name));
        }
        json_decref(text);
    }
    json_decref(right);
}

static struct server *
server_named(struct fsck *f, const char *name)
{
    for (uint32_t i = 0; i < f->routes->n_shards; i++)
        if (f->server[i].mysql && strcmp(f->server[i].name, name) == 0)
            return &f->server[i];
    return NULL;
}

static struct server *
home_of(struct fsck *f, const json_t *database)
{
    json_t     *shard;
    const char *id;

    json_object_foreach(f->shards, id, shard)
        if (model_number(shard, "id") == model_number(database, "home"))
            return server_named(f, model_text(shard, "name"));
    return NULL;
}

void
fsck_routines(struct fsck *f, const char *database)
{
    json_t     *all = catalog_all(f->c->catalog, CATALOG_DATABASE), *one, *routine;
    const char *key, *name;

    json_object_foreach(all, key, one) {
        struct server *home = home_of(f, one);

        for (size_t i = 0; home && i < countof(kinds); i++)
            json_object_foreach(json_object_get(one, kinds[i].list), name, routine)
                if (model_routine_everywhere(routine) && (!database || !strcmp(database, key)))
                    look(f, home, &kinds[i], key, name);
    }
    json_decref(all);
}

bool
fsck_make_routine(struct fsck *f, const json_t *repair, struct err *err)
{
    const json_t    *what = json_object_get(repair, "routine");
    struct server   *from = server_named(f, json_string_value(json_array_get(what, 0)));
    struct server   *to   = server_named(f, model_text(repair, "shard"));
    const char      *word = json_string_value(json_array_get(what, 1));
    const char      *database = json_string_value(json_array_get(what, 2));
    const char      *name     = json_string_value(json_array_get(what, 3));
    struct sql_error error;

    if (!from || !to)
        return err_set(err, "it does not answer");
    return (server_run(to, &error, "DROP %s IF EXISTS %s.%s", word, server_name(database),
                       server_name(name)) &&
            shard_copy_routine(from, to, word, database, name, &error)) ||
           err_set(err, "%s", error.message);
}
