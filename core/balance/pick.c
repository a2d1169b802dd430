/* pick.c - see pick.h. */
#include "core/balance/pick.h"

/* A number below n. */
static inline uint32_t
below(uint32_t n, uint64_t *random)
{
    return (uint32_t)((pick_random(random) >> 32) * n >> 32);
}

/* One of the list by chance that takes part this time; each is asked once, and gone. */
static inline const struct pick_server *
draw(struct pick_list *list, uint64_t now_us, uint64_t ramp_us, uint64_t *random)
{
    while (list->n > 0) {
        uint32_t                  i = list->n > 1 ? below(list->n, random) : 0;
        const struct pick_server *s = list->at[i];
        list->at[i]                 = list->at[--list->n];

        uint32_t ramp = pick_ramp(s->since_us, now_us, ramp_us);
        if (ramp == PICK_RAMP_ALL || below(PICK_RAMP_ALL, random) < ramp)
            return s;
    }
    return NULL;
}

/* Is a the better one, by so many times? Compared without dividing by the weights. */
static bool
is_better(const struct pick_server *a, double a_cost, const struct pick_server *b, double b_cost,
          int times)
{
    return a_cost * b->weight * times < b_cost * a->weight;
}

const struct pick_server *
pick(struct pick_list *list, uint64_t now_us, uint64_t ramp_us, uint64_t *random)
{
    if (list->n <= 1)
        return list->n == 0 ? NULL : list->at[0];
    const struct pick_server *any  = list->at[list->n * (*random >> 32) >> 32];
    const struct pick_server *best = draw(list, now_us, ramp_us, random);

    if (best == NULL)
        return any; /* all are new: nobody is there to spare them */
    double cost = pick_cost(best, now_us);
    for (int i = 0; i <= PICK_MORE; i++) {
        const struct pick_server *s = draw(list, now_us, ramp_us, random);
        if (s == NULL)
            break;
        double other = pick_cost(s, now_us);
        if (!is_better(s, other, best, cost, i == 0 ? 1 : PICK_FAR))
            continue;
        best = s;
        cost = other;
    }
    return best;
}
