/* policy_hold.c - what stands against doing it now. */
#include <stdio.h>

#include "ctl/scale/policy_step.h"

/* What this look has begun so far. */
struct begun {
    unsigned moves, merges, used, made; /* used: of the shards without rows */
    bool     taken[1024 + 1];
};

static bool
takes_part(const struct begun *b, size_t shard)
{
    return shard < countof(b->taken) && b->taken[shard];
}

static int64_t
rest_s(const struct policy *p, size_t shard)
{
    const struct policy_shard *s = &p->w->shard[shard];
    int64_t until = s->moved_s > 0 ? s->moved_s + (int64_t)p->s->cooldown_s : 0;

    return until > p->w->now_s ? until - p->w->now_s : 0;
}

/* Of the parts that leave: who goes to shards without rows; shards are made for the others. */
static unsigned
spares_for(const struct policy *p, const struct begun *b)
{
    unsigned parts = (unsigned)p->s->into - 1, spare = p->w->n_spare - b->used;

    return parts < spare ? parts : spare;
}

static unsigned
made_for(const struct policy *p, const struct begun *b)
{
    return (unsigned)p->s->into - 1 - spares_for(p, b);
}

/* Global tables, views and sequences would move with it: where a database is at home is for
 * people to say. */
static enum policy_hold
at_home(const struct policy *p, const struct decision *d, char *why, size_t room)
{
    const struct policy_shard *s = &p->w->shard[d->shard];

    if (d->action != POLICY_MERGE || !s->home)
        return HOLD_NONE;
    snprintf(why, room, "a database is at home on %.60s, and its global tables would move with "
             "it; if that is fine say 'shardctl shard drain %.60s --to %.60s'", s->name, s->name,
             p->w->shard[d->other].name);
    return HOLD_HOME;
}

static enum policy_hold
sick(const struct policy *p, const struct decision *d, char *why, size_t room)
{
    const struct policy_shard *s = &p->w->shard[d->shard], *o = &p->w->shard[d->other];
    const struct policy_shard *who = s->sick[0] ? s : o;

    if (!who->sick[0])
        return HOLD_NONE;
    snprintf(why, room, "%s", who->sick);
    return HOLD_HEALTH;
}

static enum policy_hold
rest(const struct policy *p, const struct decision *d, char *why, size_t room)
{
    int64_t a = rest_s(p, d->shard), b = rest_s(p, d->other);

    if (a <= 0 && b <= 0)
        return HOLD_NONE;
    snprintf(why, room, "rows of %s have moved lately, and it rests for another %lld s "
             "(cooldown_s)", p->w->shard[a > 0 ? d->shard : d->other].name,
             (long long)(a > b ? a : b));
    return HOLD_COOLDOWN;
}

static enum policy_hold
limits(const struct policy *p, const struct begun *b, const struct decision *d, char *why,
       size_t room)
{
    const struct policy_world *w = p->w;

    if (d->action == POLICY_SPLIT &&
        w->n_shards + b->made + made_for(p, b) > (unsigned)p->s->max_shards) {
        snprintf(why, room, "there are %u shards, and max_shards is %.0f",
                 w->n_shards + b->made, p->s->max_shards);
        return HOLD_SHARDS;
    }
    return HOLD_NONE;
}

/* Merges get a quarter of a day's moves: what a night's merges took would be missing in the
 * morning, when what is hot has to be split. */
static enum policy_hold
budget(const struct policy *p, const struct begun *b, const struct decision *d, char *why,
       size_t room)
{
    const struct policy_world *w     = p->w;
    unsigned                   most  = (unsigned)p->s->moves_per_day;
    unsigned                   moves = w->moves_today + b->moves;

    if (moves >= most) {
        snprintf(why, room, "%u moves have begun within 24 hours, and moves_per_day is %u", moves,
                 most);
        return HOLD_BUDGET;
    }
    if (d->action == POLICY_MERGE && w->merges_today + b->merges >= (most + 3) / 4) {
        snprintf(why, room, "%u merges have begun within 24 hours; the rest of moves_per_day "
                 "(%u) is for splits", w->merges_today + b->merges, most);
        return HOLD_BUDGET;
    }
    return HOLD_NONE;
}

static enum policy_hold
moment(const struct policy *p, const struct begun *b, const struct decision *d, char *why,
       size_t room)
{
    const struct policy_world *w = p->w;
    enum policy_hold           h;

    if (settings_is_quiet(p->s, w->minute)) {
        snprintf(why, room, "these are quiet hours");
        return HOLD_QUIET;
    }
    if ((h = budget(p, b, d, why, room)) != HOLD_NONE)
        return h;
    if (w->moves + b->moves >= (unsigned)p->s->max_moves || takes_part(b, d->shard) ||
        takes_part(b, d->other)) {
        snprintf(why, room, "rows move already%s%s", w->moving[0] ? ": " : "", w->moving);
        return HOLD_MOVE;
    }
    return HOLD_NONE;
}

static enum policy_hold
against(const struct policy *p, const struct begun *b, const struct decision *d, char *why,
        size_t room)
{
    enum policy_hold h = HOLD_NONE;

    if (p->w->stopped[0]) {
        snprintf(why, room, "it has stopped: %s; see 'shardctl scaler resume'", p->w->stopped);
        return HOLD_STOPPED;
    }
    if ((h = at_home(p, d, why, room)) != HOLD_NONE)
        return h;
    if ((h = sick(p, d, why, room)) != HOLD_NONE)
        return h;
    if ((h = limits(p, b, d, why, room)) != HOLD_NONE)
        return h;
    if ((h = rest(p, d, why, room)) != HOLD_NONE)
        return h;
    if ((h = moment(p, b, d, why, room)) != HOLD_NONE)
        return h;
    if (p->s->mode == SCALE_ADVISE) {
        snprintf(why, room, "the mode is advise");
        return HOLD_ADVISE;
    }
    return HOLD_NONE;
}

static void
begin(const struct policy *p, struct begun *b, const struct decision *d)
{
    b->moves++;
    b->merges += d->action == POLICY_MERGE;
    if (d->action == POLICY_SPLIT) {
        unsigned made = made_for(p, b);

        b->used += spares_for(p, b);
        b->made += made;
    }
    if (d->shard < countof(b->taken))
        b->taken[d->shard] = true;
    if (d->other < countof(b->taken))
        b->taken[d->other] = true;
}

void
policy_hold(struct policy *p)
{
    struct begun b = { 0 };

    for (size_t i = 0; i < p->n; i++) {
        struct decision *d = &p->out[i];
        char             why[300];

        if (d->action == POLICY_HINT)
            continue;
        d->hold = against(p, &b, d, why, sizeof(why));
        if (d->hold != HOLD_NONE)
            policy_text(d, "; not now: %s", why);
        else
            begin(p, &b, d);
    }
}
