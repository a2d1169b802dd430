/* track.c - see track.h. */
#include "workers/query/track.h"

#include "core/mysql/packet.h"
#include "core/mysql/wire.h"

static const uint8_t changed[] = { SESSION_TRACK_STATE_CHANGE, 1, '1' };

struct span
track_change(const struct session *s)
{
    bool told = s->modes != NULL && s->modes->track_changes;

    return (struct span){ changed, told ? sizeof(changed) : 0 };
}

struct span
track_schema(struct arena *a, const struct session *s, struct span name)
{
    struct buf entry = { 0 }, track = { 0 };

    if (s->modes == NULL || !s->modes->track_no_schema) {
        wire_put_lenenc_bytes(&entry, name);
        wire_put_u8(&track, SESSION_TRACK_SCHEMA);
        wire_put_lenenc_bytes(&track, buf_unread(&entry));
    }
    if (name.len != 0)
        buf_append_span(&track, track_change(s));
    struct span copy = arena_copy(a, buf_unread(&track));
    buf_fini(&entry);
    buf_fini(&track);
    return copy;
}

struct span
track_read(struct span answer)
{
    struct ok ok = { 0 };

    if (answer.len <= PACKET_HEADER_BYTES ||
        !reply_ok_decode(span_from(answer, PACKET_HEADER_BYTES), CLIENT_SESSION_TRACK, &ok))
        return (struct span){ 0 };
    return ok.track;
}

/* They are asked for by us only, see track_refuses(). */
static bool
is_of_transaction(uint8_t kind)
{
    return kind == SESSION_TRACK_TRANSACTION_CHARACTERISTICS ||
           kind == SESSION_TRACK_TRANSACTION_STATE;
}

void
track_note(struct query_run *q, struct span track)
{
    struct span data;
    uint8_t     kind;

    while (track_next(&track, &kind, &data)) {
        q->told_change |= !is_of_transaction(kind);
        if (kind != SESSION_TRACK_TRANSACTION_CHARACTERISTICS)
            continue;
        struct cursor c = cursor_of(data);
        q->told_next    = true;
        q->next_words   = arena_copy(&q->arena, wire_lenenc_bytes(&c));
    }
}

struct span
track_filter(struct arena *a, const struct session *s, struct span track)
{
    bool        changes = s->modes != NULL && s->modes->track_changes;
    struct span rest    = track, data;
    struct buf  kept    = { 0 };
    uint8_t     kind;

    while (track_next(&rest, &kind, &data)) {
        if ((kind == SESSION_TRACK_STATE_CHANGE && !changes) || is_of_transaction(kind))
            continue;
        wire_put_u8(&kept, kind);
        wire_put_lenenc_bytes(&kept, data);
    }
    struct span copy = arena_copy(a, buf_unread(&kept));
    buf_fini(&kept);
    return copy;
}

static bool
is_off(const struct setting *item)
{
    struct span text = item->value.n == 1 ? item->value.pieces[0].text : (struct span){ 0 };

    if (text.len >= 2 && (text.ptr[0] == '\'' || text.ptr[0] == '"'))
        text = (struct span){ text.ptr + 1, text.len - 2 };
    return item->value_kind == VALUE_DEFAULT || span_equal_nocase(text, SPAN("off")) ||
           span_equal(text, SPAN("0"));
}

/* What a transaction did is known to its servers, one by one. */
bool
track_refuses(struct query_run *q)
{
    const struct set_spec *spec = q->plan->plan.set;

    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item = &spec->items[i];
        if (!span_equal(item->name, SPAN("session_track_transaction_info")) || is_off(item))
            continue;
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: what a transaction has done is not told in its "
                     "answers: session_track_transaction_info can only be OFF");
        return true;
    }
    return false;
}
