/* plan_lookup.c - see plan_internal.h: tables with lookups. */
#include "core/route/lookup_text.h"
#include "core/route/plan_internal.h"

enum { VALUES_MAX = 16, UTF8MB4_GENERAL_CI = 45 };

static const struct route_table *
first_with_lookups(const struct planner *p)
{
    for (const struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (i->table != NULL && i->table->n_lookups > 0)
            return i->table;
    return NULL;
}

/* What a view reaches is known by kind only. */
static bool
any_lookups(const struct routes *r)
{
    bool any = false;

    for (uint32_t i = 0; i < r->n_tables; i++)
        any |= r->tables[i].n_lookups > 0;
    return any;
}

void
plan_note_lookups(struct planner *p)
{
    struct plan              *out   = p->out;
    const struct route_table *table = first_with_lookups(p);

    if (p->refused)
        return;
    if (table != NULL && (out->kind == PLAN_LOAD || out->opaque)) {
        NOT_YET(p, "shardd: '%.*s' has a lookup, which this statement would not keep: INSERT, "
                   "REPLACE, UPDATE and DELETE do", SHOWN(table->name));
        return;
    }
    out->keeps_lookups = out->is_write && (table != NULL || (p->any_view &&
                                                             any_lookups(p->routes)));
}

/* ---- reads ---- */

/* Their text in the statement is all that they are. */
static bool
is_plain(const struct key_group *g)
{
    bool plain = g->n_keys > 0 && g->n_keys <= VALUES_MAX;

    for (uint32_t i = 0; plain && i < g->n_keys; i++) {
        const struct operand *o = &g->keys[i];
        plain = (o->kind == OPERAND_LITERAL || o->kind == OPERAND_PARAM) && !o->negative &&
                !o->collate && o->collation == 0 && o->as == KEY_VALUE_OTHER;
    }
    return plain;
}

static uint32_t
lookup_table(const struct routes *r, const struct route_lookup *l)
{
    uint32_t database = routes_database(r, SPAN(ROUTES_LOOKUP_SCHEMA));
    uint32_t at = database == ROUTES_NONE ? ROUTES_NONE : routes_table(r, database, l->table);

    return at != ROUTES_NONE && r->tables[at].n_columns >= 2 && r->tables[at].key == 0 &&
                   r->tables[at].kind == TABLE_SHARDED ? at : ROUTES_NONE;
}

static void
read_by(struct planner *p, const struct instance *i, const struct route_lookup *l,
        const struct key_group *g)
{
    uint32_t            at   = lookup_table(p->routes, l);
    struct lookup_read *made = make(p, sizeof(*made));
    struct buf          hex  = { 0 };
    struct text         t;

    if (at == ROUTES_NONE)
        return;
    *made = (struct lookup_read){ .table = i->table_index, .column = l->column, .lookup = at,
                                  .n_values = g->n_keys, .values = g->keys };
    lookup_hex_text(p->routes->tables[at].columns[1].type, "`k`", &hex);
    text_begin(&t, p);
    text_const(&t, "SELECT ");
    text_span(&t, arena_copy(p->arena, buf_unread(&hex)));
    text_const(&t, " FROM `" ROUTES_LOOKUP_SCHEMA "`.");
    text_name(&t, arena_copy(p->arena, l->table));
    for (uint32_t k = 0; k < g->n_keys; k++) {
        text_const(&t, k == 0 ? " WHERE `v` IN (" : ", ");
        text_piece(&t, (struct template_piece){ .kind = PIECE_OPERAND, .operand = g->keys[k] });
    }
    text_const(&t, ")");
    made->text     = text_end(&t);
    p->out->lookup = made;
    buf_fini(&hex);
}

void
plan_lookup_read(struct planner *p, struct scope *s)
{
    const struct plan *out = p->out;

    if (!out->is_read || out->locks || out->hides || out->kind != PLAN_SCATTER || s == NULL ||
        p->routes->n_shards < 2)
        return;
    for (struct instance *i = p->instances; i != NULL && out->lookup == NULL; i = i->next_all) {
        bool mine = i->table != NULL && i->region == s->region && i->derived == NULL;
        for (uint32_t k = 0; mine && k < i->table->n_lookups && out->lookup == NULL; k++) {
            const struct route_lookup *l = &i->table->lookups[k];
            const struct key_group    *g = where_constants(p, i, l->column);
            if (!l->filling && g != NULL && is_plain(g))
                read_by(p, i, l, g);
        }
    }
    if (out->lookup != NULL)
        p->out->reason = "no key is given, but a value that a lookup has the key of";
}

bool
plan_lookup_usable(const struct plan *plan, const struct routes *r,
                   const struct plan_values *values)
{
    const struct lookup_read *l      = plan->lookup;
    bool                      usable = l != NULL;

    for (uint32_t i = 0; usable && i < l->n_values; i++) {
        struct value_room room;
        struct key_value  value;
        uint64_t          hash;
        room.bytes = (struct buf){ 0 };
        operand_value(plan, &l->values[i], values, &room, &value);
        enum key_result result = keyhash_compare(&r->tables[l->lookup].columns[0], &value, &hash);
        usable                 = result == KEY_HASH || result == KEY_NONE;
        buf_fini(&room.bytes);
    }
    return usable;
}

bool
plan_lookup_shard(const struct plan *plan, const struct routes *r, struct span hex,
                  uint32_t *shard)
{
    const struct route_table *t     = &r->tables[plan->lookup->table];
    struct buf                bytes = { 0 };
    uint64_t                  hash;
    bool                      ok    = lookup_bytes(hex, &bytes) &&
              keyhash_row(&t->columns[t->key], buf_unread(&bytes), UTF8MB4_GENERAL_CI, &hash);

    if (ok)
        *shard = routes_owner(r, hash);
    buf_fini(&bytes);
    return ok;
}
