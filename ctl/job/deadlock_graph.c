/* deadlock_graph.c - see deadlock_graph.h. */
#include "ctl/job/deadlock_graph.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* --- views ---------------------------------------------------------------- */

void
deadlock_view_fini(struct deadlock_view *view)
{
    free(view->txn);
    free(view->wait);
    *view = (struct deadlock_view){ 0 };
}

/* Room doubles whenever a power of two is reached. */
static bool
is_full(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

static size_t
room(uint32_t n)
{
    return n == 0 ? 1 : (size_t)n * 2;
}

void
deadlock_view_add_txn(struct deadlock_view *view, const struct deadlock_txn *txn)
{
    if (is_full(view->n_txns))
        view->txn = mem_resize(view->txn, room(view->n_txns) * sizeof(*view->txn));
    view->txn[view->n_txns++] = *txn;
}

void
deadlock_view_add_wait(struct deadlock_view *view, const struct deadlock_wait *wait)
{
    if (is_full(view->n_waits))
        view->wait = mem_resize(view->wait, room(view->n_waits) * sizeof(*view->wait));
    view->wait[view->n_waits++] = *wait;
}

bool
deadlock_txn_has(const struct deadlock_txn *txn, uint64_t member)
{
    for (uint64_t i = 0; i < txn->n_members; i++)
        if (txn->member[i] == member)
            return true;
    return false;
}

static int
compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int
compare_txns(const void *a, const void *b)
{
    const struct deadlock_txn *x = a, *y = b;
    int                        by_client = compare(x->client, y->client);

    return by_client != 0 ? by_client : compare(x->spread_us, y->spread_us);
}

static int
compare_waits(const void *a, const void *b)
{
    const struct deadlock_wait *x = a, *y = b;
    int                         order = compare(x->waiter, y->waiter);

    if (order == 0)
        order = compare(x->blocker, y->blocker);
    return order != 0 ? order : compare(x->query, y->query);
}

static void
sort(struct deadlock_view *view)
{
    if (view->n_txns > 0)
        qsort(view->txn, view->n_txns, sizeof(*view->txn), compare_txns);
    if (view->n_waits > 0)
        qsort(view->wait, view->n_waits, sizeof(*view->wait), compare_waits);
}

struct deadlock_view
deadlock_view_both(struct deadlock_view *before, struct deadlock_view *now)
{
    struct deadlock_view both = { 0 };

    sort(before);
    sort(now);
    for (uint32_t i = 0; i < now->n_txns && before->n_txns > 0; i++)
        if (bsearch(&now->txn[i], before->txn, before->n_txns, sizeof(*before->txn),
                    compare_txns) != NULL)
            deadlock_view_add_txn(&both, &now->txn[i]);
    for (uint32_t i = 0; i < now->n_waits && before->n_waits > 0; i++)
        if (bsearch(&now->wait[i], before->wait, before->n_waits, sizeof(*before->wait),
                    compare_waits) != NULL)
            deadlock_view_add_wait(&both, &now->wait[i]);
    return both;
}

/* --- the graph ------------------------------------------------------------ */

/* The node of each connection; sorted by it. */
struct place {
    uint64_t word;
    uint32_t node; /* below n_txns: that transaction */
};

struct edge {
    uint32_t from, to, shard;
};

struct graph {
    const struct deadlock_view *view;
    struct place               *place;
    uint32_t                    n_places, n_nodes, n_edges;
    struct edge                *edge;  /* sorted by `from`, then by shard */
    uint32_t                   *first; /* of each node's edges; n_nodes + 1 */
    bool                       *gone;  /* of each node */
    uint32_t                   *queue; /* of states: node * 2 + whether a further shard was seen */
    bool                       *seen;  /* of each state */
};

static int
compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return compare(x->word, y->word);
}

static int
compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return x->from != y->from ? compare(x->from, y->from) : compare(x->shard, y->shard);
}

static const struct place *
find_place(const struct graph *g, uint64_t word)
{
    struct place key = { .word = word };

    return g->n_places == 0 ? NULL
                            : bsearch(&key, g->place, g->n_places, sizeof(key), compare_places);
}

/* Two clients cannot hold the same connection; should they seem to, one has it. */
static void
place_txns(struct graph *g)
{
    const struct deadlock_view *view = g->view;

    for (uint32_t t = 0; t < view->n_txns; t++)
        for (uint64_t m = 0; m < view->txn[t].n_members; m++)
            g->place[g->n_places++] = (struct place){ view->txn[t].member[m], t };
    qsort(g->place, g->n_places, sizeof(*g->place), compare_places);
    g->n_nodes = view->n_txns;
}

static void
place_others(struct graph *g)
{
    uint32_t      known = g->n_places, n = 0;
    struct place *other = g->place + known;

    for (uint32_t i = 0; i < g->view->n_waits; i++) {
        uint64_t ends[2] = { g->view->wait[i].waiter, g->view->wait[i].blocker };
        for (int e = 0; e < 2; e++)
            if (find_place(g, ends[e]) == NULL)
                other[n++] = (struct place){ .word = ends[e] };
    }
    qsort(other, n, sizeof(*other), compare_places);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || other[i].word != g->place[g->n_places - 1].word)
            g->place[g->n_places++] = (struct place){ other[i].word, g->n_nodes++ };
    qsort(g->place, g->n_places, sizeof(*g->place), compare_places);
}

static void
make_edges(struct graph *g)
{
    for (uint32_t i = 0; i < g->view->n_waits; i++) {
        const struct deadlock_wait *w    = &g->view->wait[i];
        uint32_t                    from = find_place(g, w->waiter)->node;
        uint32_t                    to   = find_place(g, w->blocker)->node;
        if (from != to)
            g->edge[g->n_edges++] = (struct edge){ from, to, participant_shard(w->waiter) };
    }
    qsort(g->edge, g->n_edges, sizeof(*g->edge), compare_edges);
    for (uint32_t node = 0, e = 0; node <= g->n_nodes; node++) {
        while (e < g->n_edges && g->edge[e].from < node)
            e++;
        g->first[node] = e;
    }
}

static void
graph_init(struct graph *g, const struct deadlock_view *view)
{
    size_t places = (size_t)view->n_txns * CLIENT_PARTICIPANTS_MAX + (size_t)view->n_waits * 2;
    size_t nodes  = (size_t)view->n_txns + (size_t)view->n_waits * 2 + 1;

    *g = (struct graph){
        .view  = view,
        .place = mem_alloc(places * sizeof(*g->place)),
        .edge  = mem_alloc(view->n_waits * sizeof(*g->edge)),
        .first = mem_alloc(nodes * sizeof(*g->first)),
        .gone  = mem_alloc(nodes * sizeof(*g->gone)),
        .queue = mem_alloc(nodes * 2 * sizeof(*g->queue)),
        .seen  = mem_alloc(nodes * 2 * sizeof(*g->seen)),
    };
    place_txns(g);
    place_others(g);
    make_edges(g);
}

static void
graph_fini(struct graph *g)
{
    free(g->place);
    free(g->edge);
    free(g->first);
    free(g->gone);
    free(g->queue);
    free(g->seen);
}

/* --- circles -------------------------------------------------------------- */

static void
visit(struct graph *g, uint32_t *n, uint32_t node, uint32_t further)
{
    uint32_t state = node * 2 + further;

    if (g->gone[node] || g->seen[state])
        return;
    g->seen[state]   = true;
    g->queue[(*n)++] = state;
}

/* Does a way from `node` whose first edge is on `shard` come back, and use another
 * shard somewhere? */
static bool
comes_back(struct graph *g, uint32_t node, uint32_t shard)
{
    uint32_t n = 0;

    memset(g->seen, 0, (size_t)g->n_nodes * 2 * sizeof(*g->seen));
    for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++)
        if (g->edge[e].shard == shard)
            visit(g, &n, g->edge[e].to, 0);
    for (uint32_t at = 0; at < n && !g->seen[node * 2 + 1]; at++) {
        uint32_t from = g->queue[at] / 2, further = g->queue[at] % 2;
        for (uint32_t e = g->first[from]; e < g->first[from + 1]; e++)
            visit(g, &n, g->edge[e].to, further | (g->edge[e].shard != shard));
    }
    return g->seen[node * 2 + 1];
}

static bool
is_deadlocked(struct graph *g, uint32_t node)
{
    for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++)
        if ((e == g->first[node] || g->edge[e].shard != g->edge[e - 1].shard) &&
            comes_back(g, node, g->edge[e].shard))
            return true;
    return false;
}

/* Nodes that wait for nobody who waits are in no circle: without them little is left. */
static void
trim(struct graph *g)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t node = 0; node < g->n_nodes; node++) {
            bool waits = false;
            for (uint32_t e = g->first[node]; e < g->first[node + 1] && !waits; e++)
                waits = !g->gone[g->edge[e].to];
            if (waits || g->gone[node])
                continue;
            g->gone[node] = changed = true;
        }
    }
}

static bool
is_younger(const struct deadlock_txn *a, const struct deadlock_txn *b)
{
    return a->spread_us != b->spread_us ? a->spread_us > b->spread_us : a->client > b->client;
}

/* The youngest one not yet asked. */
static uint32_t
next_youngest(const struct deadlock_view *view, const bool *asked)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t t = 0; t < view->n_txns; t++)
        if (!asked[t] && (best == UINT32_MAX || is_younger(&view->txn[t], &view->txn[best])))
            best = t;
    return best;
}

/* Taking nodes away makes no circles, so every transaction is asked once. */
uint32_t
deadlock_find(const struct deadlock_view *view, uint32_t *victims)
{
    struct graph g;
    uint32_t     n = 0, t;

    if (view->n_txns < 2 || view->n_waits < 2)
        return 0;
    graph_init(&g, view);
    trim(&g);
    bool *asked = mem_alloc(view->n_txns * sizeof(*asked));
    for (uint32_t i = 0; i < view->n_txns; i++)
        asked[i] = g.gone[i];
    while ((t = next_youngest(view, asked)) != UINT32_MAX) {
        asked[t] = true;
        if (!is_deadlocked(&g, t))
            continue;
        victims[n++] = t;
        g.gone[t]    = true;
    }
    free(asked);
    graph_fini(&g);
    return n;
}
