/* position.c - see position.h. */
#include "core/balance/position.h"

enum { POSITION_OLD_US = 600 * 1000000 };

/* A decimal number up to `max`; *at is behind it. */
static bool
take_number(struct span text, size_t *at, uint64_t max, uint64_t *out)
{
    size_t   start = *at;
    uint64_t n     = 0;

    for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; ++*at) {
        unsigned digit = text.ptr[*at] - (unsigned)'0';
        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return *at > start;
}

static bool
take(struct span text, size_t *at, uint8_t c)
{
    if (*at >= text.len || text.ptr[*at] != c)
        return false;
    ++*at;
    return true;
}

/* A domain may be named more than once, with several servers: the last one counts. */
static bool
keep(struct position *p, uint32_t domain, uint64_t number)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->domain[i] == domain) {
            p->number[i] = number > p->number[i] ? number : p->number[i];
            return true;
        }
    if (p->n == POSITION_DOMAINS)
        return false;
    p->domain[p->n]   = domain;
    p->number[p->n++] = number;
    return true;
}

bool
position_parse(struct span text, struct position *out)
{
    struct position p  = { 0 };
    size_t          at = 0;

    while (at < text.len) {
        uint64_t domain, server, number;
        if (!take_number(text, &at, UINT32_MAX, &domain) || !take(text, &at, '-') ||
            !take_number(text, &at, UINT32_MAX, &server) || !take(text, &at, '-') ||
            !take_number(text, &at, UINT64_MAX, &number) || !keep(&p, (uint32_t)domain, number))
            return false;
        if (at == text.len)
            break;
        if (!take(text, &at, ','))
            return false;
        while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\n'))
            at++;
        if (at == text.len)
            return false;
    }
    *out = p;
    return true;
}

bool
position_has(const struct position *a, const struct position *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t k = 0;
        while (k < a->n && a->domain[k] != b->domain[i])
            k++;
        if (k == a->n || a->number[k] < b->number[i])
            return false;
    }
    return true;
}

uint64_t
position_behind(const struct position *a, const struct position *b)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t has = 0;
        for (uint32_t k = 0; k < a->n; k++)
            has = a->domain[k] == b->domain[i] ? a->number[k] : has;
        n += b->number[i] > has ? b->number[i] - has : 0;
    }
    return n;
}

/* One goes: the oldest when it is of no use any more, else the one whose neighbours are nearest to
 * each other for their age. */
static void
thin(struct positions *p, uint64_t now_us)
{
    uint32_t gone  = 0;
    double   least = -1;

    for (uint32_t i = 1; i + 1 < p->n && now_us - p->at[0].us < POSITION_OLD_US; i++) {
        double gap = (double)(p->at[i + 1].us - p->at[i - 1].us) /
                     (double)(now_us - p->at[i].us + 1);
        if (least < 0 || gap < least) {
            least = gap;
            gone  = i;
        }
    }
    memmove(&p->at[gone], &p->at[gone + 1], (p->n - gone - 1) * sizeof(p->at[0]));
    p->n--;
}

void
positions_add(struct positions *p, uint64_t us, const struct position *position)
{
    const struct position *last = p->n > 0 ? &p->at[p->n - 1].position : NULL;

    if (last != NULL && !position_has(position, last))
        p->n = 0; /* it has begun anew: what was before says nothing any more */
    else if (last != NULL && position_has(last, position)) {
        p->at[p->n - 1].us = us; /* nothing happened since: whoever has that has this */
        return;
    }
    if (p->n == POSITIONS)
        thin(p, us);
    p->at[p->n].us         = us;
    p->at[p->n++].position = *position;
}

uint64_t
positions_covered(const struct positions *p, const struct position *applied)
{
    for (uint32_t i = p->n; i-- > 0;)
        if (position_has(applied, &p->at[i].position))
            return p->at[i].us;
    return 0;
}
