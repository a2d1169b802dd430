/* explain.c - see explain.h: the tree as lines and as JSON. */
#include "core/route/explain.h"

#include "core/base/json.h"
#include "core/sql/digest.h"
#include "core/sql/parse.h"

enum { TEXT_MAX = 1 << 20 };

static bool
plan_once_more(struct arena *arena, const struct plan_context *context, struct span text,
               struct digest *d, struct plan *plan, struct plan_values *values)
{
    struct plan_context own       = *context;
    struct stmt        *statement = NULL;
    bool known = digest_make(d, text, context->lex, TEXT_MAX) == DIGEST_OK;

    *values = (struct plan_values){ .text = text };
    if (known) {
        values->literals   = d->literals;
        values->n_literals = d->n_literals;
        own.prepared       = d->n_params > 0;
    }
    enum parse_result parsed = parse_statement(arena, text, context->lex, known ? d : NULL,
                                               &statement);
    if (parsed == PARSE_EMPTY)
        return false;
    plan_make(arena, &own, text, known ? d : NULL, parsed == PARSE_BAD ? NULL : statement, plan);
    return true;
}

bool
explain_plan(struct arena *arena, const struct plan_context *context, struct span text,
             struct digest *digest, struct plan *plan, struct plan_values *values)
{
    if (!plan_once_more(arena, context, text, digest, plan, values))
        return false;
    for (int i = 0; i < PLAN_VIEWS_DEEP && plan->kind == PLAN_EXPAND; i++) {
        struct buf with_selects = { 0 };
        plan_render(plan, plan->text, values, RENDER_TEXT, &with_selects, NULL);
        text = arena_copy(arena, buf_unread(&with_selects));
        buf_fini(&with_selects);
        if (!plan_once_more(arena, context, text, digest, plan, values))
            return false;
    }
    return true;
}

static void
item_text(const struct explain_item *item, struct buf *out)
{
    buf_printf(out, "%s: ", item->key);
    if (item->is_number)
        buf_printf(out, "%llu", (unsigned long long)item->number);
    for (uint32_t i = 0; i < item->n; i++) {
        if (i > 0)
            buf_append_text(out, ", ");
        buf_append_span(out, item->texts[i]);
    }
}

static void
lines(const struct explain_node *node, unsigned depth, explain_line *line, void *context)
{
    line(context, depth, span_of(node->step), node->why);
    for (const struct explain_item *item = node->items; item != NULL; item = item->next) {
        struct buf text = { 0 };
        item_text(item, &text);
        line(context, depth + 1, buf_unread(&text), (struct span){ 0 });
        buf_fini(&text);
    }
    for (const struct explain_node *n = node->first; n != NULL; n = n->next)
        lines(n, depth + 1, line, context);
}

void
explain_lines(const struct explain_node *node, explain_line *line, void *context)
{
    lines(node, 0, line, context);
}

static void
item_json(const struct explain_item *item, struct buf *out)
{
    buf_append_text(out, ",");
    json_text(out, span_of(item->key));
    buf_append_text(out, ":");
    if (item->is_number)
        buf_printf(out, "%llu", (unsigned long long)item->number);
    else if (!item->is_list)
        json_text(out, item->texts[0]);
    for (uint32_t i = 0; item->is_list && i < item->n; i++) {
        buf_append_text(out, i == 0 ? "[" : ",");
        json_text(out, item->texts[i]);
    }
    if (item->is_list)
        buf_append_text(out, item->n == 0 ? "[]" : "]");
}

void
explain_json(const struct explain_node *node, struct buf *out)
{
    buf_append_text(out, "{\"step\":");
    json_text(out, span_of(node->step));
    if (node->why.len != 0) {
        buf_append_text(out, ",\"why\":");
        json_text(out, node->why);
    }
    for (const struct explain_item *item = node->items; item != NULL; item = item->next)
        item_json(item, out);
    for (const struct explain_node *n = node->first; n != NULL; n = n->next) {
        buf_append_text(out, n == node->first ? ",\"steps\":[" : ",");
        explain_json(n, out);
    }
    buf_append_text(out, node->first != NULL ? "]}" : "}");
}
