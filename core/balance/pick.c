/* pick.c - see pick.h. */
#include "core/balance/pick.h"

/* A number below n. */
static uint32_t
below(uint32_t n, uint64_t *random)
{
    return (uint32_t)((pick_random(random) >> 32) * n >> 32);
}

/* One of the list by chance that takes part this time; each is asked once, and gone. */
static const struct pick_server *
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

const struct pick_server *
pick(struct pick_list *list, uint64_t now_us, uint64_t ramp_us, uint64_t *random)
{
    if (list->n <= 1)
        return list->n == 0 ? NULL : list->at[0];
    const struct pick_server *any = list->at[below(list->n, random)];
    const struct pick_server *a   = draw(list, now_us, ramp_us, random);

    if (a == NULL)
        return any; /* all are new: nobody is there to spare them */
    const struct pick_server *b = draw(list, now_us, ramp_us, random);
    if (b == NULL)
        return a;
    return pick_cost(b, now_us) * a->weight < pick_cost(a, now_us) * b->weight ? b : a;
}
