/* layout_table.c - a table that changes its kind or its key: what moves, and whether it may.
 *
 *              before                       after
 *   global     all rows at home             owners of the key | all shards
 *   sharded    owners of the key            home | owners of the other key | all shards
 *   reference  on all shards                home: the other copies are left over
 *
 * A reference table cannot become sharded at once: each shard would have to hide rows that
 * nobody listed.
 *
 * Tables that foreign keys tie together change in one move: each is looked at as if the others
 * were already what they will be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/decide.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup.h"
#include "ctl/move/layout.h"
#include "ctl/move/layout_step.h"
#include "ctl/move/uses.h"

struct change {
    struct planner *p;
    char            database[256], table[256], key[256];
    char           *name;    /* owned: the catalog name */
    json_t         *object;  /* owned: as it is */
    json_t         *tables;  /* borrowed: all, with those that change as they will be */
    json_t         *facts;   /* owned */
    json_t         *after;   /* owned: as it will be */
    json_t         *notes;   /* owned: what there is to say besides */
    enum table_kind from, to;
    uint32_t        home;    /* index */
};

/* --- whether it may ------------------------------------------------------------- */

static bool
find_home(struct change *ch)
{
    json_t *database = catalog_get(ch->p->c->catalog, CATALOG_DATABASE, ch->database, NULL);
    int64_t id       = model_number(database, "home");

    json_decref(database);
    for (ch->home = 0; ch->home < ch->p->n; ch->home++)
        if (ch->p->id[ch->home] == id)
            return true;
    return layout_refuse(ch->p, "the database %s has no home", ch->database);
}

static bool
open_home(struct change *ch, struct server *s)
{
    char id[24];

    *s = (struct server){ .mysql = NULL };
    snprintf(id, sizeof(id), "%lld", (long long)ch->p->id[ch->home]);
    return server_open(s, json_object_get(ch->p->shards, id), ch->p->error);
}

/* CALL is for databases whose tables are all global. */
static bool
note_procedures(struct change *ch, struct server *home)
{
    char n[24], text[400];

    if (!server_value(home, n, sizeof(n), ch->p->error, "SELECT COUNT(*) FROM"
                      " information_schema.ROUTINES WHERE ROUTINE_TYPE = 'PROCEDURE' AND"
                      " ROUTINE_SCHEMA = %s", server_text(ch->database)))
        return false;
    snprintf(text, sizeof(text), "the database %.150s has procedures: CALL is refused in databases "
             "with sharded or reference tables", ch->database);
    if (ch->to != TABLE_GLOBAL && strcmp(n, "0") != 0)
        json_array_append_new(ch->notes, json_string_nocheck(text));
    return true;
}

static bool
read_facts(struct change *ch)
{
    struct server s;

    if (open_home(ch, &s))
        ch->facts = facts_read(&s, ch->database, ch->table, NULL, ch->p->error);
    if (ch->facts && !note_procedures(ch, &s)) {
        json_decref(ch->facts);
        ch->facts = NULL;
    }
    server_close(&s);
    return ch->facts != NULL;
}

/* What refers to a reference table from everywhere cannot do so to one that is not. */
static bool
no_reference_child(struct change *ch)
{
    const char *name;
    json_t     *child, *foreign;
    size_t      i;

    if (ch->from != TABLE_REFERENCE)
        return true;
    json_object_foreach(ch->tables, name, child)
        json_array_foreach(json_object_get(child, "foreign"), i, foreign)
            if (strcmp(model_text(foreign, "database"), ch->database) == 0 &&
                strcmp(model_text(foreign, "table"), ch->table) == 0 &&
                strcmp(name, ch->name) != 0 &&
                strcmp(model_text(child, "kind"), "global") != 0)
                return layout_refuse(ch->p, "the foreign key %s of %s.%s needs the rows of %s.%s "
                                     "on every shard", model_text(foreign, "name"),
                                     model_text(child, "database"), model_text(child, "name"),
                                     ch->database, ch->table);
    return true;
}

/* Nothing else may have to change with it. */
static bool
alone(struct change *ch, const struct decision *how)
{
    void *first = json_object_iter(how->also_global);

    return !first ||
           layout_refuse(ch->p, "foreign keys tie %s.%s to the sharded table %s, so that it "
                         "cannot be global alone; name that with --with, or drop the foreign key "
                         "first", ch->database, ch->table, json_object_iter_key(first));
}

static bool
may_change(struct change *ch, const struct wish *wish, struct decision *how)
{
    if (ch->from == TABLE_VIEW)
        return layout_refuse(ch->p, "%s.%s is a view", ch->database, ch->table);
    if (ch->from == ch->to && (ch->to != TABLE_SHARDED ||
                               strcasecmp(model_text(ch->object, "key"), wish->key) == 0))
        return layout_refuse(ch->p, "%s.%s is %s%s%s already", ch->database, ch->table,
                             model_kind_name(ch->to), ch->to == TABLE_SHARDED ? " by " : "",
                             wish->key);
    if (ch->from == TABLE_REFERENCE && ch->to == TABLE_SHARDED)
        return layout_refuse(ch->p, "the reference table %s.%s has rows, and becomes sharded by "
                             "way of global: 'shardctl table set %s.%s --global' first",
                             ch->database, ch->table, ch->database, ch->table);
    if (!decide(ch->database, ch->table, ch->facts, wish, false, ch->tables, how, ch->p->error))
        return false;
    if (alone(ch, how) && no_reference_child(ch) &&
        uses_none(ch->p->c, ch->database, ch->table, ch->p->error))
        return true;
    decision_fini(how);
    return false;
}

/* --- what it will be ------------------------------------------------------------ */

static bool
make_object(struct change *ch, const struct decision *how)
{
    json_t *o = json_deep_copy(ch->object);

    ch->after = o;
    model_set(o, "kind", model_kind_name(how->kind));
    model_set(o, "key", how->kind == TABLE_SHARDED ? how->key : NULL);
    model_set(o, "reason", how->kind == TABLE_GLOBAL ? "shardctl table set" : NULL);
    model_set(o, "remedy", NULL);
    json_object_set(o, "columns", json_object_get(ch->facts, "columns"));
    json_object_set(o, "foreign", json_object_get(ch->facts, "foreign"));
    if (how->kind != TABLE_SHARDED)
        json_object_del(o, "sequence");
    if (how->kind != TABLE_SHARDED || !facts_auto_increment(ch->facts)[0] ||
        model_number(o, "sequence") != 0 || model_flag(ch->p->request, "dry_run"))
        return true;
    /* Its row is written when the table is switched. */
    json_object_set_new(o, "sequence", json_integer(cluster_number(ch->p->c, "next_sequence")));
    return model_number(o, "sequence") != 0 ||
           layout_refuse(ch->p, "the catalog cannot be written");
}

/* --- from where to where -------------------------------------------------------- */

static bool
is_on(const struct change *ch, enum table_kind kind, uint32_t shard)
{
    switch (kind) {
    case TABLE_GLOBAL:    return shard == ch->home;
    case TABLE_SHARDED:   return ch->p->share[shard] > 0;
    case TABLE_REFERENCE: return true;
    case TABLE_VIEW:      break;
    }
    return false;
}

static bool
measure(struct change *ch, uint32_t shard, double *rows, double *bytes)
{
    struct server s = { .mysql = NULL };
    char          id[24];
    json_t       *list = NULL;

    snprintf(id, sizeof(id), "%lld", (long long)ch->p->id[shard]);
    if (server_open(&s, json_object_get(ch->p->shards, id), ch->p->error))
        list = server_rows(&s, ch->p->error, "SELECT TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH"
                           " FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND"
                           " TABLE_NAME = %s", server_text(ch->database), server_text(ch->table));
    server_close(&s);
    *rows  = strtod(server_cell(json_array_get(list, 0), 0), NULL);
    *bytes = strtod(server_cell(json_array_get(list, 0), 1), NULL);
    json_decref(list);
    return list != NULL;
}

json_t *
layout_piece(const struct planner *p, uint32_t from, uint32_t to, double rows, double bytes)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I}", "start", "", "last", "", "from",
                     (json_int_t)p->id[from], "to", (json_int_t)p->id[to], "from_name",
                     p->name[from], "to_name", p->name[to], "rows", (json_int_t)rows, "bytes",
                     (json_int_t)bytes);
}

static json_t *
pieces_of(struct change *ch)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < ch->p->n; i++) {
        double rows, bytes;

        if (ch->from == TABLE_REFERENCE || !is_on(ch, ch->from, i))
            continue;
        if (!measure(ch, i, &rows, &bytes)) {
            json_decref(list);
            return NULL;
        }
        for (uint32_t k = 0; k < ch->p->n; k++) {
            double part = ch->to == TABLE_SHARDED ? ch->p->share[k] : 1;

            if (k != i && is_on(ch, ch->to, k))
                json_array_append_new(list, layout_piece(ch->p, i, k, rows * part, bytes * part));
        }
    }
    return list;
}

/* Back to sharded, copies everywhere would have to be told apart; and from reference nothing
 * flows, so that no position is noted from which something could flow back. */
static bool
is_one_way(const struct change *ch)
{
    return ch->from == TABLE_REFERENCE ||
           (ch->from == TABLE_SHARDED && ch->to == TABLE_REFERENCE);
}

static bool
add_to_spec(struct change *ch, json_t *spec)
{
    json_t *pieces = pieces_of(ch);

    if (!pieces)
        return false;
    json_array_extend(json_object_get(spec, "pieces"), pieces);
    json_array_append_new(json_object_get(spec, "tables"),
                          json_pack("{s:s, s:O, s:O}", "name", ch->name, "before", ch->object,
                                    "object", ch->after));
    if (is_one_way(ch))
        json_object_set_new(spec, "one_way", json_true());
    json_decref(pieces);
    return true;
}

/* --- what is asked for ---------------------------------------------------------- */

struct changes {
    struct planner *p;
    unsigned        n;
    json_t         *tables, *notes; /* owned */
    struct change  *change;         /* owned */
};

/* "database.table" or "table" of the first one's database, ":column" behind it. */
static void
read_name(struct change *ch, const char *text, const char *database)
{
    const char *colon = strrchr(text, ':'), *dot = strchr(text, '.');
    size_t      len   = colon ? (size_t)(colon - text) : strlen(text);

    if (dot && (size_t)(dot - text) < len)
        snprintf(ch->database, sizeof(ch->database), "%.*s", (int)(dot - text), text);
    else
        snprintf(ch->database, sizeof(ch->database), "%s", database);
    dot = dot && (size_t)(dot - text) < len ? dot + 1 : text;
    snprintf(ch->table, sizeof(ch->table), "%.*s", (int)(len - (size_t)(dot - text)), dot);
    snprintf(ch->key, sizeof(ch->key), "%s", colon ? colon + 1 : "");
}

static bool
read_wish(struct change *ch, struct wish *wish)
{
    ch->to = model_kind(model_text(ch->p->request, "kind"), TABLE_VIEW);
    *wish  = (struct wish){ .given = true, .kind = ch->to };
    if (ch->to == TABLE_VIEW || (ch->to == TABLE_SHARDED) != (ch->key[0] != '\0'))
        return layout_refuse(ch->p, "say sharded and the key of %s.%s, reference, or global",
                             ch->database, ch->table);
    snprintf(wish->key, sizeof(wish->key), "%s", ch->key);
    return true;
}

/* It is in `tables` as it will be. */
static bool
find_table(struct changes *all, struct change *ch)
{
    struct wish wish;
    json_t     *will;

    ch->name   = catalog_table_name(ch->database, ch->table);
    ch->object = json_incref(json_object_get(all->tables, ch->name));
    ch->from   = model_kind(model_text(ch->object, "kind"), TABLE_VIEW);
    if (!ch->object)
        return layout_refuse(all->p, "there is no table %s.%s; see 'shardctl table list'",
                             ch->database, ch->table);
    if (!read_wish(ch, &wish) ||
        lookup_forbids(ch->object, "another kind or key", all->p->error))
        return false;
    will = json_deep_copy(ch->object);
    model_set(will, "kind", model_kind_name(wish.kind));
    model_set(will, "key", wish.kind == TABLE_SHARDED ? wish.key : NULL);
    json_object_set_new_nocheck(all->tables, ch->name, will);
    return true;
}

static bool
read_all(struct changes *all)
{
    const json_t *request = all->p->request, *with = json_object_get(request, "with");
    bool          ok      = true;

    all->n      = 1 + (unsigned)json_array_size(with);
    all->change = mem_alloc(all->n * sizeof(*all->change));
    for (unsigned i = 0; ok && i < all->n; i++) {
        struct change *ch = &all->change[i];

        *ch = (struct change){ .p = all->p, .tables = all->tables, .notes = all->notes };
        if (i > 0) {
            read_name(ch, layout_text(request, "with", i - 1), all->change[0].database);
        } else {
            snprintf(ch->database, sizeof(ch->database), "%s", model_text(request, "database"));
            snprintf(ch->table, sizeof(ch->table), "%s", model_text(request, "table"));
            snprintf(ch->key, sizeof(ch->key), "%s", model_text(request, "key"));
        }
        for (unsigned k = 0; ok && k < i; k++)
            ok = strcmp(all->change[k].database, ch->database) != 0 ||
                 strcmp(all->change[k].table, ch->table) != 0 ||
                 layout_refuse(all->p, "%s.%s is named twice", ch->database, ch->table);
        ok = ok && find_table(all, ch);
    }
    return ok;
}

/* --- all of it ------------------------------------------------------------------ */

static bool
plan_one(struct change *ch, json_t *spec)
{
    struct wish     wish;
    struct decision how;
    bool            ok;

    if (!read_wish(ch, &wish) || !find_home(ch) || !read_facts(ch) ||
        !may_change(ch, &wish, &how))
        return false;
    ok = make_object(ch, &how) && add_to_spec(ch, spec);
    decision_fini(&how);
    return ok;
}

json_t *
layout_table(struct planner *p)
{
    struct changes all = { .p = p, .tables = catalog_all(p->c->catalog, CATALOG_TABLE),
                           .notes = json_array() };
    json_t *spec = json_pack("{s:s, s:O, s:[], s:[], s:i, s:b}", "verb", "table", "notes",
                             all.notes, "tables", "pieces", "new_shards", 0, "one_way", 0);
    bool    ok   = read_all(&all);

    for (unsigned i = 0; ok && i < all.n; i++)
        ok = plan_one(&all.change[i], spec);
    for (unsigned i = 0; i < all.n; i++) {
        json_decref(all.change[i].after);
        json_decref(all.change[i].facts);
        json_decref(all.change[i].object);
        free(all.change[i].name);
    }
    json_decref(all.notes);
    json_decref(all.tables);
    free(all.change);
    if (ok)
        return spec;
    json_decref(spec);
    return NULL;
}
