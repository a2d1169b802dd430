/* plan_text.c - see plan.h and plan_internal.h: templates. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/plan_internal.h"

void
text_begin(struct text *t, struct planner *p)
{
    *t = (struct text){ .p = p };
    if (p->source != NULL)
        return;
    uint8_t *blanked = arena_alloc(p->arena, p->text.len + 1);
    lex_blank_comments(p->text, p->context->lex, blanked);
    p->source = blanked;
}

void
text_piece(struct text *t, struct template_piece piece)
{
    if (t->n == t->cap) {
        uint32_t               cap  = t->cap == 0 ? 8 : 2 * t->cap;
        struct template_piece *more = make(t->p, cap * sizeof(*more));
        if (t->n > 0)
            memcpy(more, t->pieces, t->n * sizeof(*more));
        t->pieces = more;
        t->cap    = cap;
    }
    t->pieces[t->n++] = piece;
}

void
text_span(struct text *t, struct span s)
{
    if (s.len == 0)
        return;
    text_piece(t, (struct template_piece){ .kind = PIECE_TEXT,
                                           .text = arena_copy(t->p->arena, s) });
}

void
text_const(struct text *t, const char *words)
{
    text_piece(t, (struct template_piece){ .kind = PIECE_TEXT, .text = span_of(words) });
}

void
text_name(struct text *t, struct span name)
{
    struct buf quoted = { 0 };
    buf_append_byte(&quoted, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_append_byte(&quoted, '`');
        buf_append_byte(&quoted, name.ptr[i]);
    }
    buf_append_byte(&quoted, '`');
    text_span(t, buf_unread(&quoted));
    buf_fini(&quoted);
}

static uint32_t
first_literal(const struct digest *d, uint32_t at)
{
    uint32_t low = 0, high = d == NULL ? 0 : d->n_literals;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->literals[middle].start < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t
first_param(const struct planner *p, uint32_t at)
{
    uint32_t low = 0, high = p->n_params;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (p->params[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void
text_source(struct text *t, uint32_t start, uint32_t end)
{
    const struct planner *p       = t->p;
    uint32_t              literal = first_literal(p->digest, start);
    uint32_t              param   = first_param(p, start);
    uint32_t              hidden  = hide_first(p, start);
    for (;;) {
        uint32_t at_literal = p->digest != NULL && literal < p->digest->n_literals
                                  ? p->digest->literals[literal].start
                                  : UINT32_MAX;
        uint32_t at_param   = param < p->n_params ? p->params[param] : UINT32_MAX;
        uint32_t at         = at_literal < at_param ? at_literal : at_param;
        uint32_t at_hidden  = hide_at(p, hidden);
        if (at_hidden <= at && at_hidden <= end) {
            text_span(t, (struct span){ p->source + start, at_hidden - start });
            hide_say(t, hidden++);
            start = at_hidden;
            continue;
        }
        if (at >= end)
            break;
        text_span(t, (struct span){ p->source + start, at - start });
        struct template_piece hole = { .kind = PIECE_OPERAND };
        if (at == at_literal) {
            hole.operand = (struct operand){ .kind = OPERAND_LITERAL, .ordinal = literal };
            start        = p->digest->literals[literal++].end;
        } else {
            hole.operand = (struct operand){ .kind = OPERAND_PARAM, .ordinal = param++ };
            start        = at + 1;
        }
        text_piece(t, hole);
    }
    if (start < end)
        text_span(t, (struct span){ p->source + start, end - start });
}

struct sql_template
text_end(struct text *t)
{
    return (struct sql_template){ t->n, t->pieces };
}

const struct sql_template *
text_keep(struct text *t)
{
    struct sql_template *kept = make(t->p, sizeof(*kept));
    *kept                     = text_end(t);
    return kept;
}

static void
bind_add(struct bind_list *list, struct bind bind)
{
    if (list == NULL)
        return;
    if (list->n == list->cap) {
        list->cap   = list->cap == 0 ? 8 : 2 * list->cap;
        list->items = mem_resize(list->items, list->cap * sizeof(list->items[0]));
    }
    list->items[list->n++] = bind;
}

static void
render_operand(const struct operand *o, const struct plan_values *values, struct buf *out,
               struct bind_list *binds)
{
    switch (o->kind) {
    case OPERAND_LITERAL:
        if (o->ordinal < values->n_literals) {
            const struct literal *l = &values->literals[o->ordinal];
            buf_append(out, values->text.ptr + l->start, l->end - l->start);
        }
        break;
    case OPERAND_PARAM:
        buf_append_byte(out, '?');
        bind_add(binds, (struct bind){ .kind = BIND_PARAM, .ordinal = o->ordinal });
        break;
    case OPERAND_CONST: buf_append_span(out, o->constant.bytes); break;
    case OPERAND_VAR:   break; /* in a text it is text */
    }
}

static void
render_limit(const struct plan *plan, const struct plan_values *values, struct buf *out,
             struct bind_list *binds)
{
    uint64_t         offset, count;
    struct sql_error error;
    bool             constant = plan->limit_count.kind != OPERAND_PARAM &&
                    plan->limit_offset.kind != OPERAND_PARAM;
    if (!constant && binds != NULL) {
        buf_append_byte(out, '?');
        bind_add(binds, (struct bind){ .kind = BIND_LIMIT });
        return;
    }
    if (plan_limit(plan, values, &offset, &count, &error))
        buf_printf(out, "%llu", (unsigned long long)plan_limit_sum(offset, count));
}

/* `number`: for PIECE_AUTO, NULL when the row brings its own. */
static void
render(const struct plan *plan, const struct sql_template *text,
       const struct plan_values *values, enum render_mode mode, const uint64_t *number,
       struct buf *out, struct bind_list *binds)
{
    for (uint32_t i = 0; i < text->n; i++) {
        const struct template_piece *piece = &text->pieces[i];
        switch (piece->kind) {
        case PIECE_TEXT: buf_append_span(out, piece->text); break;
        case PIECE_OPERAND: render_operand(&piece->operand, values, out, binds); break;
        case PIECE_LIMIT:
            render_limit(plan, values, out, mode == RENDER_PREPARE ? binds : NULL);
            break;
        case PIECE_AUTO:
            if (number != NULL && mode == RENDER_PREPARE) {
                buf_append_byte(out, '?');
                bind_add(binds, (struct bind){ .kind = BIND_NUMBER, .number = *number });
            } else if (number != NULL) {
                buf_printf(out, "%llu", (unsigned long long)*number);
            } else if (piece->has_operand) {
                render_operand(&piece->operand, values, out, binds);
            } else {
                buf_append_span(out, piece->text);
            }
            break;
        }
    }
}

void
plan_render(const struct plan *plan, const struct sql_template *text,
            const struct plan_values *values, enum render_mode mode, struct buf *out,
            struct bind_list *binds)
{
    render(plan, text, values, mode, NULL, out, binds);
}

/* "(1, NULL)" as "1, NULL". */
static void
render_selected(const struct plan *plan, const struct plan_values *values, enum render_mode mode,
                const struct insert_row *row, const uint64_t *number, struct buf *out,
                struct bind_list *binds)
{
    struct buf text = { 0 };
    render(plan, &plan->insert->select, values, mode, NULL, out, binds);
    render(plan, &row->text, values, mode, number, &text, binds);
    struct span in = span_from(buf_unread(&text), 1);
    buf_append(out, in.ptr, in.len - 1);
    buf_append_text(out, " FROM DUAL ");
    buf_fini(&text);
}

void
insert_render(const struct plan *plan, const struct plan_values *values,
              enum render_mode mode, const uint32_t *rows, uint32_t n,
              const uint64_t *numbers, const bool *has_number, struct buf *out,
              struct bind_list *binds)
{
    const struct insert_spec *spec = plan->insert;
    if (n == 1 && spec->rows[rows[0]].as_select && spec->select.n > 0) {
        bool numbered = numbers != NULL && (has_number == NULL || has_number[0]);
        render_selected(plan, values, mode, &spec->rows[rows[0]], numbered ? numbers : NULL, out,
                        binds);
        render(plan, &spec->tail, values, mode, NULL, out, binds);
        return;
    }
    render(plan, &spec->header, values, mode, NULL, out, binds);
    for (uint32_t i = 0; i < n; i++) {
        bool numbered = numbers != NULL && (has_number == NULL || has_number[i]);
        if (i > 0)
            buf_append_byte(out, ',');
        render(plan, &spec->rows[rows[i]].text, values, mode, numbered ? &numbers[i] : NULL,
               out, binds);
    }
    render(plan, &spec->tail, values, mode, NULL, out, binds);
}
