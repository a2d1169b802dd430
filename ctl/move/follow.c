/* follow.c - see the picture in follow.h: transactions, positions, and when to stop. */
#include "ctl/move/follow.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/hex.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/move/follow_internal.h"
#include "ctl/move/lost.h"
#include "ctl/provision/replication.h"

enum {
    HEARTBEAT_MS   = 200,
    POSITION_S     = 10,    /* for a server to say how far it is */
    FORMAT_MS      = 10000, /* to wait for the log's first event */
    SERVER_ID_BASE = 0x74000000, /* of tails: job and source, in no one's way */
};

/* --- beginning and ending --- */

static int
by_name(const void *a, const void *b)
{
    const struct move_table *x = *(const struct move_table *const *)a;
    const struct move_table *y = *(const struct move_table *const *)b;
    int                      c = strcmp(x->database, y->database);

    return c ? c : strcmp(x->name, y->name);
}

struct follow *
follow_new(const struct move *m, uint32_t source, const struct follow_target *targets, unsigned n)
{
    struct follow *f = mem_alloc(sizeof(*f));

    f->move    = m;
    f->source  = source;
    f->name    = model_text(move_shard(m, source), "name");
    f->n_lanes = n;
    f->lanes   = mem_alloc((n + 1) * sizeof(*f->lanes));
    f->sorted  = mem_alloc((m->n_tables + 1) * sizeof(const struct move_table *));
    for (unsigned i = 0; i < m->n_tables; i++)
        f->sorted[i] = &m->tables[i];
    qsort(f->sorted, m->n_tables, sizeof(const struct move_table *), by_name);
    for (unsigned i = 0; i < FOLLOW_MAPS; i++)
        list_init(&f->maps[i]);
    for (unsigned i = 0; i < n; i++) {
        struct follow_lane *l = &f->lanes[i];
        l->to          = targets[i];
        l->told        = mem_alloc((m->n_tables + 1) * sizeof(*l->told));
        l->round       = 1;
        l->rows.folder = m->c->path.home;
        if (i == 0)
            f->position = targets[i].start;
        else
            gtid_meet(&f->position, &targets[i].start);
    }
    f->effect = f->position;
    return f;
}

void
follow_free(struct follow *f)
{
    if (!f)
        return;
    follow_close(f);
    follow_maps_clear(f);
    for (unsigned i = 0; i < f->n_lanes; i++) {
        parcel_fini(&f->lanes[i].rows);
        free(f->lanes[i].told);
    }
    free(f->lanes);
    free(f->sorted);
    free(f->savepoints);
    free(f->saved);
    buf_fini(&f->room);
    buf_fini(&f->text);
    buf_fini(&f->literal);
    free(f);
}

/* --- items --- */

static bool
push(struct follow *f, struct follow_lane *l, struct item *i)
{
    if (i->kind != ITEM_FORMAT)
        l->behind = l->behind_us = false;
    (void)f;
    return apply_push(l->to.apply, i);
}

static struct item *
item_for(struct follow *f, const struct follow_lane *l, enum item_kind kind)
{
    struct gtid_set at = f->position;
    struct item    *i;

    gtid_join(&at, &l->to.start);
    i = item_new(kind, &at);
    return i;
}

static bool
push_format(struct follow *f)
{
    for (unsigned i = 0; i < f->n_lanes; i++) {
        struct item *format = item_for(f, &f->lanes[i], ITEM_FORMAT);
        buf_append_span(&format->parcel.bytes, tail_description(f->tail));
        if (!push(f, &f->lanes[i], format))
            return false;
    }
    return true;
}

bool
follow_advance(struct follow *f, bool all)
{
    for (unsigned i = 0; i < f->n_lanes; i++) {
        struct follow_lane *l = &f->lanes[i];
        if ((l->behind || (all && l->behind_us)) && !push(f, l, item_for(f, l, ITEM_ADVANCE)))
            return false;
    }
    return true;
}

bool
follow_resolve(struct follow *f, const json_t *prepared)
{
    for (unsigned i = 0; i < f->n_lanes; i++) {
        struct item *resolve = item_for(f, &f->lanes[i], ITEM_RESOLVE);
        resolve->prepared = prepared ? json_deep_copy(prepared) : NULL;
        if (!push(f, &f->lanes[i], resolve))
            return false;
    }
    return true;
}

/* --- the transaction under way --- */

static int
cut_lane(struct follow_lane *l, uint64_t size, uint64_t rows)
{
    l->round++; /* what the parcel told of tables may be cut off */
    return parcel_cut(&l->rows, size, rows);
}

static void
group_clear(struct follow *f)
{
    for (unsigned i = 0; i < f->n_lanes; i++)
        if (cut_lane(&f->lanes[i], 0, 0) != 0)
            parcel_fini(&f->lanes[i].rows);
    f->n_savepoints = 0;
    f->in_group     = false;
}

static void
name_branch(struct follow *f, const struct binlog_xid *x)
{
    hex_upper(hex_upper(f->data, x->gtrid), x->bqual);
    snprintf(f->branch, sizeof(f->branch), "%u.%zu.%s", x->format, x->gtrid.len, f->data);
}

static bool
group_begin(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    struct binlog_gtid g;

    group_clear(f); /* one that the server did not finish when it was killed is not committed */
    if (!binlog_gtid_read(e, &g))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: a GTID in the binary log of shard %s "
                             "cannot be read; cancel the move, and look at the server's disk",
                             f->name);
    f->gtid  = (struct gtid){ g.domain, g.server_id, g.sequence };
    f->flags = g.flags;
    f->ours  = g.server_id == (uint32_t)MOVE_SERVER_ID + (uint32_t)(f->move->job % 65536);
    name_branch(f, &g.xid);
    if (gtid_has(&f->position, f->gtid))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: the binary log of shard %s has "
                             "%u-%u-%llu behind %llu: its GTIDs do not rise; cancel the move, and "
                             "set gtid_strict_mode there", f->name, g.domain, g.server_id,
                             (unsigned long long)g.sequence,
                             (unsigned long long)gtid_sequence(&f->position, g.domain));
    f->seen.any = true;
    f->in_group = true;
    f->held     = f->limited && !gtid_has(&f->limit, f->gtid);
    return true;
}

static bool
push_end(struct follow *f, struct follow_lane *l, enum group_end end)
{
    static const enum item_kind kinds[] = {
        [GROUP_COMMIT] = ITEM_ROWS, [GROUP_PREPARE] = ITEM_PREPARE,
        [GROUP_XA_COMMIT] = ITEM_COMMIT, [GROUP_XA_ROLLBACK] = ITEM_ROLLBACK,
    };
    struct item *i = item_for(f, l, kinds[end]);

    if (end == GROUP_COMMIT || end == GROUP_PREPARE) {
        i->parcel      = l->rows;
        l->rows        = (struct parcel){ .folder = f->move->c->path.home };
        l->round++;
    }
    if (end != GROUP_COMMIT)
        snprintf(i->branch, sizeof(i->branch), "%s", f->branch);
    i->unknown_is_fine = l->to.unknown_is_fine;
    i->defer           = json_object_get(f->prepared, f->data) != NULL;
    return push(f, l, i);
}

/* The position moves, and what there is for the targets is passed on. */
static bool
group_end(struct follow *f, enum group_end end, struct sql_error *error)
{
    bool effect = end == GROUP_XA_COMMIT, ok = true;

    if (f->ours)
        end = GROUP_NOTHING;
    if (!gtid_add(&f->position, f->gtid))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: the binary log of shard %s has more "
                             "than %d GTID domains", f->name, GTID_DOMAINS_MAX);
    for (unsigned i = 0; ok && i < f->n_lanes; i++) {
        struct follow_lane *l = &f->lanes[i];
        l->behind    = l->behind || !f->ours;
        l->behind_us = true;
        if (end == GROUP_NOTHING || end == GROUP_DROP || gtid_has(&l->to.start, f->gtid) ||
            (end == GROUP_COMMIT && parcel_size(&l->rows) == 0))
            continue;
        effect = effect || end == GROUP_COMMIT;
        ok     = push_end(f, l, end);
    }
    if (effect && !f->ours)
        ok = gtid_add(&f->effect, f->gtid) && ok;
    group_clear(f);
    return ok; /* the applier that refused says why */
}

/* --- savepoints --- */

/* The name behind the words, with its quotes. */
static void
savepoint_name(struct span text, size_t behind, char out[200])
{
    struct span s = span_from(text, behind < text.len ? behind : text.len);

    while (s.len > 0 && isspace(s.ptr[0]))
        s = span_from(s, 1);
    snprintf(out, 200, "%.*s", (int)(s.len < 199 ? s.len : 199), (const char *)s.ptr);
}

static void
savepoint_set(struct follow *f, const char *name)
{
    if (f->n_savepoints == f->room_savepoints) {
        f->room_savepoints = f->room_savepoints ? f->room_savepoints * 2 : 16;
        f->savepoints = mem_resize(f->savepoints, f->room_savepoints * sizeof(*f->savepoints));
        f->saved      = mem_resize(f->saved, f->room_savepoints * (f->n_lanes + 1)
                                                 * sizeof(*f->saved));
    }
    struct savepoint *s = &f->savepoints[f->n_savepoints];
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->lane_at = f->n_savepoints++ * f->n_lanes;
    for (unsigned i = 0; i < f->n_lanes; i++)
        f->saved[s->lane_at + i] = (struct saved){ parcel_size(&f->lanes[i].rows),
                                                   f->lanes[i].rows.rows };
}

static bool
savepoint_back(struct follow *f, const char *name, struct sql_error *error)
{
    unsigned n = f->n_savepoints;

    while (n > 0 && strcasecmp(f->savepoints[n - 1].name, name) != 0)
        n--;
    if (n == 0)
        return sql_error_set(error, FOLLOW_FATAL, "shardd: the binary log of shard %s goes back to "
                             "savepoint %.64s, which it did not set; cancel the move and start it "
                             "again", f->name, name);
    f->n_savepoints = n;
    for (unsigned i = 0; i < f->n_lanes; i++) {
        struct saved s = f->saved[f->savepoints[n - 1].lane_at + i];
        if (cut_lane(&f->lanes[i], s.size, s.rows) != 0)
            return sql_error_set(error, FOLLOW_FATAL, "shardd: a file in %s cannot be cut; resume "
                                 "the job", f->move->c->path.home);
    }
    return true;
}

/* --- events --- */

static bool
begins(struct span text, const char *word)
{
    size_t n = strlen(word);

    return text.len >= n && strncasecmp((const char *)text.ptr, word, n) == 0 &&
           (text.len == n || !isalnum(text.ptr[n]));
}

static bool
one_phase(struct span text)
{
    return memmem(text.ptr, text.len, "ONE PHASE", 9) != NULL;
}

static bool
take_query(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    struct binlog_query q;
    char                name[200];

    if (!binlog_query_read(e, &f->text, &q))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: a statement in the binary log of shard "
                             "%s cannot be read; cancel the move, and look at the server's disk",
                             f->name);
    if (begins(q.text, "COMMIT"))
        return group_end(f, GROUP_COMMIT, error);
    if (begins(q.text, "SAVEPOINT")) {
        savepoint_name(q.text, 9, name);
        savepoint_set(f, name);
    } else if (begins(q.text, "ROLLBACK TO")) {
        savepoint_name(q.text, 11, name);
        return savepoint_back(f, name, error);
    } else if (begins(q.text, "ROLLBACK")) {
        return group_end(f, GROUP_DROP, error);
    } else if (begins(q.text, "XA COMMIT") && !one_phase(q.text)) {
        return group_end(f, GROUP_XA_COMMIT, error);
    } else if (begins(q.text, "XA COMMIT")) {
        return group_end(f, GROUP_COMMIT, error);
    } else if (begins(q.text, "XA ROLLBACK")) {
        return group_end(f, f->flags & BINLOG_GTID_COMPLETED_XA ? GROUP_XA_ROLLBACK : GROUP_DROP,
                         error);
    } else if (!f->ours && !follow_text_passes(f, &q, error)) {
        return false;
    }
    return (f->flags & BINLOG_GTID_STANDALONE) == 0 || group_end(f, GROUP_NOTHING, error);
}

static bool
take_prepare(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    struct binlog_xid xid;
    bool              at_once;

    if (!binlog_xa_prepare_read(e, &at_once, &xid))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: an XA PREPARE in the binary log of "
                             "shard %s cannot be read; cancel the move, and look at the "
                             "server's disk",
                             f->name);
    name_branch(f, &xid);
    return group_end(f, at_once ? GROUP_COMMIT : GROUP_PREPARE, error);
}

static bool
without_group(const struct follow *f, struct sql_error *error)
{
    return sql_error_set(error, FOLLOW_FATAL, "shardd: the binary log of shard %s has changes "
                         "without a GTID; cancel the move; the server must be MariaDB 10.5 or "
                         "later", f->name);
}

static bool
take_skip(struct follow *f, const struct binlog_event *e)
{
    if (e->type != BINLOG_FORMAT_DESCRIPTION)
        return true;
    follow_maps_clear(f); /* a server that was started anew numbers its tables anew */
    return push_format(f);
}

static bool
take(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    bool in = f->in_group;

    switch (e->kind) {
    case BINLOG_KIND_GTID:       return group_begin(f, e, error);
    case BINLOG_KIND_QUERY:      return in ? take_query(f, e, error) : without_group(f, error);
    case BINLOG_KIND_TABLE_MAP:  return follow_map_take(f, e, error);
    case BINLOG_KIND_ROWS:
        return in ? f->ours || follow_rows_take(f, e, error) : without_group(f, error);
    case BINLOG_KIND_XID:        return in ? group_end(f, GROUP_COMMIT, error)
                                           : without_group(f, error);
    case BINLOG_KIND_XA_PREPARE: return in ? take_prepare(f, e, error) : without_group(f, error);
    case BINLOG_KIND_STATEMENT:
        if (e->type != BINLOG_EXECUTE_LOAD_QUERY)
            return true;
        return sql_error_set(error, FOLLOW_FATAL, "shardd: the binary log of shard %s has LOAD "
                             "DATA as a statement: cancel the move, set binlog_format=ROW there, "
                             "and start it again", f->name);
    case BINLOG_KIND_SKIP:       return take_skip(f, e);
    case BINLOG_KIND_ROTATE:
    case BINLOG_KIND_GTID_LIST:
    case BINLOG_KIND_HEARTBEAT:  break;
    }
    return true;
}

/* --- reading --- */

/* A primary may send what none of its replicas has yet, and be replaced by one of these: what was
 * applied of that never happened. A server whose log has nothing of a domain would not say so. */
static bool
is_known_there(const struct follow *f, struct sql_error *error)
{
    struct server   s = { .answer_s = POSITION_S };
    struct gtid_set all;
    bool ok = server_open(&s, move_shard(f->move, f->source), error) &&
              replication_all(&s, &all, error);

    server_close(&s);
    if (!ok)
        return false;
    return gtid_has_all(&all, &f->position) ||
           sql_error_set(error, FOLLOW_FATAL, "shardd: the server of shard %s lacks changes that "
                         "were copied already: it was replaced by one that never got them, and "
                         "nobody was told that they are done; cancel the move, and begin again",
                         f->name);
}

bool
follow_open(struct follow *f, const atomic_bool *stop, struct sql_error *error)
{
    char             at[GTID_TEXT_MAX];
    struct tail_spec spec = {
        .shard = move_shard(f->move, f->source), .position = at, .heartbeat_ms = HEARTBEAT_MS,
        .compress = f->move->compress,
        .server_id = (uint32_t)SERVER_ID_BASE + (uint32_t)(f->move->job % 1024) * 4096
                     + f->source % 2048 * 2 + f->move->borrowed,
    };

    if (!is_known_there(f, error))
        return false;
    gtid_print(&f->position, at);
    group_clear(f);
    f->held   = false;
    f->tail   = tail_open(&spec, error);
    for (int waited = 0; f->tail && !*stop && waited < FORMAT_MS; waited += 100) {
        enum follow_step step = follow_next(f, 100, error);
        if (step == FOLLOW_ENDED)
            break;
        if (tail_description(f->tail).len > 0)
            return true;
    }
    if (f->tail && error->code == 0)
        sql_error_set(error, 1430, "shardd: shard %s does not send its binary log", f->name);
    follow_close(f);
    return false;
}

void
follow_close(struct follow *f)
{
    tail_close(f->tail);
    f->tail = NULL;
    group_clear(f);
    f->held = false;
}

void
follow_limit(struct follow *f, const struct gtid_set *limit, const json_t *prepared)
{
    f->limited  = limit != NULL;
    f->prepared = prepared;
    if (limit)
        f->limit = *limit;
    f->held = f->in_group && f->limited && !gtid_has(&f->limit, f->gtid);
}

enum follow_step
follow_next(struct follow *f, unsigned wait_ms, struct sql_error *error)
{
    struct binlog_event e;

    if (f->held)
        return FOLLOW_LIMIT;
    uint64_t began = clock_us();
    switch (tail_next(f->tail, wait_ms, &e, error)) {
    case TAIL_EVENT:
        break;
    case TAIL_HEARTBEAT:
        f->seen.any    = true;
        f->seen.end_us = f->seen.pause_us = clock_us();
        return FOLLOW_QUIET;
    case TAIL_TIMEOUT: /* or a nudge */
        if (f->seen.any && clock_us() - began >= wait_ms * 1000ull)
            f->seen.pause_us = clock_us();
        return FOLLOW_QUIET;
    case TAIL_INTERRUPTED:
        return FOLLOW_QUIET;
    case TAIL_ERROR:
        return FOLLOW_ENDED;
    }
    if (e.timestamp != 0 && (e.flags & BINLOG_F_ARTIFICIAL) == 0)
        f->seen.timestamp = e.timestamp;
    error->code = 0;
    if (!take(f, &e, error))
        return FOLLOW_ENDED;
    return f->held ? FOLLOW_LIMIT : FOLLOW_ON;
}

bool
follow_at_limit(const struct follow *f)
{
    return f->limited && gtid_has_all(&f->position, &f->limit) && (!f->in_group || f->held);
}

void
follow_known(struct follow *f)
{
    for (unsigned i = 0; i < f->n_lanes; i++)
        f->lanes[i].to.unknown_is_fine = false;
}

const struct gtid_set *
follow_position(const struct follow *f)
{
    return &f->position;
}

const struct gtid_set *
follow_effect(const struct follow *f)
{
    return &f->effect;
}

const struct follow_seen *
follow_seen(const struct follow *f)
{
    return &f->seen;
}

void
follow_interrupt(struct follow *f)
{
    if (f->tail)
        tail_interrupt(f->tail);
}

void
follow_nudge(struct follow *f)
{
    if (f->tail)
        tail_nudge(f->tail);
}
