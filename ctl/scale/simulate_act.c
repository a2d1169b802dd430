/* simulate_act.c - what the policy says is done, in a world that is made up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/scale/policy_json.h"
#include "ctl/scale/simulate_step.h"

enum { DAY_S = 86400, DECISIONS_MAX = 2 * SIM_SHARDS_MAX + 8, RECORDED_MAX = 5000 };

static size_t
by_id(const struct sim *m, uint32_t id)
{
    size_t i = 0;

    while (i < m->n && m->shard[i].id != id)
        i++;
    return i;
}

/* --- moves --------------------------------------------------------------------------- */

static void
part_add(struct sim_shard *s, struct sim_part p)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->part[i].source == p.source) {
            s->part[i].of += p.of;
            s->part[i].key = s->part[i].key || p.key;
            return;
        }
    s->part = mem_resize(s->part, (s->n + 1) * sizeof(*s->part));
    s->part[s->n++] = p;
}

/* It keeps one of `into` equal parts and the hot key; the others go to new shards. */
static void
split(struct sim *m, size_t i, int64_t now_s)
{
    unsigned into  = (unsigned)m->s.into;
    double   whole = m->shard[i].value[METRIC_STATEMENTS];

    for (size_t k = 0; k < m->shard[i].n; k++)
        m->shard[i].part[k].of /= into;
    for (unsigned n = 1; n < into && m->n < SIM_SHARDS_MAX; n++) {
        struct sim_shard *s = sim_add(m, NULL), *from = &m->shard[i];

        for (size_t k = 0; k < from->n; k++)
            part_add(s, (struct sim_part){ from->part[k].source, false, from->part[k].of });
        s->parent  = from->id;
        s->moved_s = now_s;
    }
    sim_load(m);
    for (size_t k = m->n; k-- > 0;) {
        struct sim_shard *s = &m->shard[k];
        double part = whole > 0 ? s->value[METRIC_STATEMENTS] / whole : 1.0 / into;

        if (k != i && s->parent == m->shard[i].id && s->moved_s == now_s &&
            s->watch.detector.seen == 0)
            watch_split(&s->watch, &m->shard[i].watch, &m->s, part);
    }
    watch_moved(&m->shard[i].watch, &m->s,
                whole > 0 ? m->shard[i].value[METRIC_STATEMENTS] / whole : 1.0 / into);
    m->shard[i].moved_s = now_s;
    m->shard[i].moving  = false;
}

static void
merge(struct sim *m, size_t from, size_t to, int64_t now_s)
{
    for (size_t k = 0; k < m->shard[from].n; k++)
        part_add(&m->shard[to], m->shard[from].part[k]);
    watch_moved(&m->shard[to].watch, &m->s, 0);
    m->shard[to].moved_s = now_s;
    m->shard[to].moving  = false;
    watch_fini(&m->shard[from].watch);
    free(m->shard[from].part);
    m->shard[from] = m->shard[--m->n];
}

void
sim_finish(struct sim *m, int64_t now_s)
{
    for (size_t i = 0; i < m->n_moves;) {
        struct sim_move move = m->move[i];

        if (now_s < move.until_s) {
            i++;
            continue;
        }
        m->move[i] = m->move[--m->n_moves];
        if (move.merge)
            merge(m, by_id(m, (uint32_t)move.from), by_id(m, (uint32_t)move.to), now_s);
        else
            split(m, by_id(m, (uint32_t)move.from), now_s);
    }
}

static void
begin(struct sim *m, const struct decision *d, int64_t now_s)
{
    struct sim_shard *from = &m->shard[d->shard], *to = &m->shard[d->other];
    bool   is_merge = d->action == POLICY_MERGE;
    double bytes = is_merge ? from->bytes : from->bytes * (m->s.into - 1) / m->s.into;

    if (m->n_moves == SIM_MOVES_MAX)
        return;
    from->moving = to->moving = true;
    m->move[m->n_moves++] = (struct sim_move){ is_merge, from->id, to->id,
        now_s + (int64_t)fmax(bytes / m->o.bytes_per_s, m->o.move_min_s) };
    m->begun = mem_resize(m->begun, (m->n_begun + 1) * sizeof(*m->begun));
    m->begun[m->n_begun++] = (struct sim_begun){ now_s, is_merge };
    if (is_merge)
        m->merges++;
    else
        m->splits++;
}

/* --- decisions ------------------------------------------------------------------------ */

static void
count_today(const struct sim *m, struct policy_world *w)
{
    for (size_t i = m->n_begun; i-- > 0 && m->begun[i].at_s > w->now_s - DAY_S;) {
        w->moves_today++;
        w->merges_today += m->begun[i].is_merge;
    }
}

static void
describe(struct sim *m, size_t i, struct policy_shard *out)
{
    const struct sim_shard *s = &m->shard[i];

    *out = (struct policy_shard){ .id = s->id, .ranges = 1, .beside = s->parent,
                                  .home = s->id == 1, .bytes = s->bytes, .moved_s = s->moved_s,
                                  .disk_used = NAN, .disk_free = NAN, .moving = s->moving,
                                  .key_share = s->key_share };
    memcpy(out->name, s->name, sizeof(out->name));
    if (s->key_share > 0)
        snprintf(out->key, sizeof(out->key), "the hottest of %s", m->t->name[s->key_source]);
    if (s->bytes > 0 && s->value[METRIC_STORAGE] > 0) {
        double disk    = s->bytes / s->value[METRIC_STORAGE];
        out->disk_used = s->bytes;
        out->disk_free = fmax(disk - s->bytes, 0);
    }
    watch_fill(&s->watch, &m->s, &m->rules, out);
    if (out->statements.ready) {
        m->error_sum += out->statements.error;
        m->errors++;
    }
}

/* The same as at the last look is no news. */
static void
record(struct sim *m, const struct policy_world *w, const struct decision *d, int64_t now_s)
{
    struct sim_shard *s = &m->shard[d->shard];
    char              what[sizeof(s->last)];
    json_t           *o;

    snprintf(what, sizeof(what), "%d %d %d", (int)d->action, (int)d->why, (int)d->hold);
    if (strcmp(what, s->last) == 0 && d->hold != HOLD_NONE)
        return;
    if (strcmp(what, s->last) == 0 && d->action == POLICY_HINT)
        return;
    memcpy(s->last, what, sizeof(what));
    m->held[d->hold]++;
    m->hints += d->action == POLICY_HINT;
    if (json_array_size(m->decisions) >= RECORDED_MAX)
        return;
    o = policy_decision_json(d, w);
    json_object_set_new(o, "time", json_integer((json_int_t)now_s));
    json_array_append_new(m->decisions, o);
}

void
sim_decide(struct sim *m, int64_t now_s)
{
    struct decision    *d = mem_alloc(DECISIONS_MAX * sizeof(*d));
    struct policy_world w = { .now_s = now_s, .minute = (int)(now_s % DAY_S / 60),
                              .n_shards = (unsigned)m->n, .moves = (unsigned)m->n_moves,
                              .n = m->n };
    size_t              n;

    count_today(m, &w);
    w.shard = mem_alloc(m->n * sizeof(*w.shard));
    for (size_t i = 0; i < m->n; i++)
        describe(m, i, &w.shard[i]);
    n = policy_decide(&m->s, &w, d, DECISIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        record(m, &w, &d[i], now_s);
        if (d[i].action != POLICY_HINT && d[i].hold == HOLD_NONE)
            begin(m, &d[i], now_s);
    }
    free(w.shard);
    free(d);
}
