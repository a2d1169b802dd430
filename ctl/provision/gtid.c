/* gtid.c - see gtid.h. */
#include "ctl/provision/gtid.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned
place_of(const struct gtid_set *s, uint32_t domain)
{
    unsigned i = 0;

    while (i < s->n && s->at[i].domain < domain)
        i++;
    return i;
}

static bool
number(const char **at, char end, uint64_t max, uint64_t *out)
{
    char *behind;

    if (!isdigit((unsigned char)**at))
        return false;
    *out = strtoull(*at, &behind, 10);
    if (*out > max || (end != 0 && *behind != end))
        return false;
    *at = behind + (end != 0);
    return true;
}

bool
gtid_parse(struct gtid_set *s, const char *text)
{
    struct gtid_set out = { 0 };

    while (*text != 0) {
        uint64_t domain, server, sequence;
        if (!number(&text, '-', UINT32_MAX, &domain) ||
            !number(&text, '-', UINT32_MAX, &server) ||
            !number(&text, 0, UINT64_MAX, &sequence) || (*text != 0 && *text != ','))
            return false;
        text += *text == ',';
        while (*text == ' ' || *text == '\n')
            text++;
        if (!gtid_add(&out, (struct gtid){ (uint32_t)domain, (uint32_t)server, sequence }))
            return false;
    }
    *s = out;
    return true;
}

void
gtid_print(const struct gtid_set *s, char out[GTID_TEXT_MAX])
{
    int at = 0;

    out[0] = 0;
    for (unsigned i = 0; i < s->n; i++)
        at += snprintf(out + at, GTID_TEXT_MAX - (size_t)at, "%s%u-%u-%llu", i ? "," : "",
                       s->at[i].domain, s->at[i].server,
                       (unsigned long long)s->at[i].sequence);
}

uint64_t
gtid_sequence(const struct gtid_set *s, uint32_t domain)
{
    unsigned i = place_of(s, domain);

    return i < s->n && s->at[i].domain == domain ? s->at[i].sequence : 0;
}

bool
gtid_has(const struct gtid_set *s, struct gtid g)
{
    return g.sequence <= gtid_sequence(s, g.domain);
}

bool
gtid_has_all(const struct gtid_set *s, const struct gtid_set *part)
{
    for (unsigned i = 0; i < part->n; i++)
        if (!gtid_has(s, part->at[i]))
            return false;
    return true;
}

bool
gtid_add(struct gtid_set *s, struct gtid g)
{
    unsigned i = place_of(s, g.domain);

    if (i == s->n || s->at[i].domain != g.domain) {
        if (s->n == GTID_DOMAINS_MAX)
            return false;
        memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof(s->at[0]));
        s->n++;
    }
    s->at[i] = g;
    return true;
}

void
gtid_meet(struct gtid_set *s, const struct gtid_set *other)
{
    struct gtid_set both = { 0 };

    for (unsigned i = 0; i < s->n; i++) {
        unsigned k = place_of(other, s->at[i].domain);
        if (k == other->n || other->at[k].domain != s->at[i].domain)
            continue;
        both.at[both.n++] = s->at[i].sequence < other->at[k].sequence ? s->at[i] : other->at[k];
    }
    *s = both;
}

bool
gtid_join(struct gtid_set *s, const struct gtid_set *other)
{
    bool all = true;

    for (unsigned i = 0; i < other->n; i++)
        all = (gtid_has(s, other->at[i]) || gtid_add(s, other->at[i])) && all;
    return all;
}
