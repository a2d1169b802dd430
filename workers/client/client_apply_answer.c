/* client_apply_answer.c - see apply.h: what the client is told in the end. */
#include <stdio.h>

#include "workers/client/apply_state.h"

/* What the session is like now: the transaction may be over. */
static void
put_status(struct client_apply *k, struct ok *ok)
{
    const struct session *s = &k->client->session;

    ok->status = session_status(s);
    if (k->more)
        ok->status |= SERVER_MORE_RESULTS_EXISTS;
    ok->warnings = (uint16_t)(s->warnings < UINT16_MAX ? s->warnings : UINT16_MAX);
}

static void
put_packet(struct client_apply *k, struct span payload)
{
    struct buf *out = stream_out(k->out);
    size_t      at  = packet_begin(out);

    buf_append_span(out, payload);
    packet_end(out, at, &k->client->reader.next_seq);
}

static uint32_t
packet_bytes(struct span s)
{
    return s.ptr[0] | (uint32_t)s.ptr[1] << 8 | (uint32_t)s.ptr[2] << 16;
}

struct span
apply_last_packet(struct span packets)
{
    struct span last = { 0 };

    while (packets.len > PACKET_HEADER_BYTES) {
        uint32_t n = packet_bytes(packets);
        last       = (struct span){ packets.ptr + PACKET_HEADER_BYTES, n };
        packets    = span_from(packets, PACKET_HEADER_BYTES + n);
    }
    return last;
}

/* The last packet tells how the session is. */
void
apply_send_rows(struct client_apply *k)
{
    struct client *c    = k->client;
    struct span    rest = buf_unread(&k->answer);
    struct ok      ok   = { 0 };

    put_status(k, &ok);
    while (rest.len > PACKET_HEADER_BYTES) {
        uint32_t    n       = packet_bytes(rest);
        struct span payload = { rest.ptr + PACKET_HEADER_BYTES, n };
        rest                = span_from(rest, PACKET_HEADER_BYTES + n);
        if (rest.len == 0)
            reply_end_encode(stream_out(k->out), &c->reader.next_seq, c->session.capabilities,
                             &ok);
        else
            put_packet(k, payload);
    }
    c->session.row_count = -1;
}

static struct span
info_of(struct client_apply *k, char *text, size_t size)
{
    uint32_t warnings = k->client->session.warnings;
    int      n = snprintf(text, size, "Records: %llu  Duplicates: %llu  Warnings: %u",
                          (unsigned long long)k->records, (unsigned long long)k->duplicates,
                          warnings);

    return (struct span){ (uint8_t *)text, (size_t)n };
}

/* Its numbers are those of copies. */
static void
note_engine_answer(struct client_apply *k, struct ok *ok)
{
    uint64_t counts[APPLY_COUNTS] = { 0 };

    ok->insert_id = k->insert_id;
    query_add_counts(ok->info, counts, APPLY_COUNTS);
    if (k->q->plan->plan.selects_into_table)
        k->client->session.found_rows = counts[0];
}

void
apply_send_ok(struct client_apply *k)
{
    struct client          *c  = k->client;
    struct session         *s  = &c->session;
    const struct query_run *q  = k->q;
    struct ok               ok = { 0 };
    char                    text[128];
    struct span             payload = span_from(buf_unread(&k->answer), PACKET_HEADER_BYTES);

    (void)!reply_ok_decode(payload, s->capabilities, &ok);
    ok.track = (struct span){ 0 };
    if (k->verb == CHANGE_INSERT && !k->plain) {
        ok.affected_rows = k->affected;
        ok.insert_id     = k->insert_id;
        ok.info          = (struct span){ 0 };
        if (k->records != 1 || q->plan->plan.change->from_query)
            ok.info = info_of(k, text, sizeof(text));
        if (q->plan->plan.selects_into_table)
            s->found_rows = k->records;
    }
    if (!k->plain && q->plan->plan.change->answers)
        note_engine_answer(k, &ok);
    put_status(k, &ok);
    s->row_count = (int64_t)ok.affected_rows;
    reply_ok_encode(stream_out(k->out), &c->reader.next_seq, s->capabilities, &ok);
}
