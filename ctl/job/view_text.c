/* view_text.c - the SELECT of a view, as its server tells it.
 *
 * Servers have two texts of a view, with all names whole and in backticks, whatever sql_mode it
 * was written in, and either lacks something:
 *   VIEW_DEFINITION in information_schema  all in UTF-8; a '?' for each byte of a letter beyond 16
 *                                          bits, no introducers, and of what stood behind them
 *                                          only what is a letter
 *   SHOW CREATE VIEW                       letters of all kinds; behind an introducer the bytes
 *                                          themselves, which are no UTF-8
 * The first one is taken where it has all. Of the second the strings behind introducers are
 * written in hexadecimal digits: _binary'...' is another value, and compares in another way,
 * than '...'.
 */
#include <stdlib.h>

#include "core/sql/literal.h"
#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/job/view_text.h"

struct created {
    struct buf text;    /* of SHOW CREATE VIEW */
    bool       in_utf8; /* its maker's character_set_client: bytes came as they are */
};

static void
keep(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct created *c = context;

    buf_append(&c->text, row[1], lengths[1]);
    c->in_utf8 = strncmp(row[2], "utf8", 4) == 0 || strcmp(row[2], "binary") == 0;
}

/* What is behind "CREATE ... VIEW `d`.`v` AS ", without a CHECK OPTION. */
static struct span
select_of(const struct created *c, const char *database, const char *view)
{
    struct span text   = buf_unread(&c->text);
    struct buf  head   = { 0 };
    const char *ends[] = { " WITH CASCADED CHECK OPTION", " WITH LOCAL CHECK OPTION" };

    buf_printf(&head, " VIEW %s.", server_name(database));
    buf_printf(&head, "%s AS ", server_name(view));
    const uint8_t *at = memmem(text.ptr, text.len, buf_cstr(&head), buf_len(&head));
    text = span_from(text, at == NULL ? text.len : (size_t)(at - text.ptr) + buf_len(&head));
    buf_fini(&head);
    for (size_t i = 0; i < countof(ends); i++) {
        size_t tail = strlen(ends[i]);
        if (text.len > tail && memcmp(text.ptr + text.len - tail, ends[i], tail) == 0)
            text.len -= tail;
    }
    return text;
}

/* A string of a client with another set has been made UTF-8, and so have these bytes. */
static bool
is_whole(const struct created *c, struct span bytes)
{
    return c->in_utf8 || (span_is_ascii(bytes) && memchr(bytes.ptr, '?', bytes.len) == NULL);
}

/* Appends `text` with _binary'...' as _binary x'...'. False: its bytes are not known. */
static bool
say(const struct created *c, struct span text, struct buf *out, bool *introduced)
{
    struct lex_options options = { .charset = LEX_BYTES };
    struct lex         lex;
    struct token       t, before = { .kind = TOK_END };
    uint32_t           at    = 0;
    bool               whole = true;

    lex_init(&lex, text, options);
    for (t = lex_next(&lex); t.kind != TOK_END && t.kind != TOK_BAD; t = lex_next(&lex)) {
        if (t.kind == TOK_STRING && before.kind == TOK_INTRODUCER) {
            struct buf  value   = { 0 };
            struct span literal = { text.ptr + t.start, t.end - t.start };
            buf_append(out, text.ptr + at, t.start - at);
            whole = literal_decode(literal, t.kind, options, &value) &&
                    is_whole(c, buf_unread(&value)) && whole;
            buf_append_hex_literal(out, " ", buf_unread(&value));
            buf_fini(&value);
            at          = t.end;
            *introduced = true;
        }
        before = t;
    }
    buf_append(out, text.ptr + at, text.len - at);
    return whole && t.kind == TOK_END;
}

static bool
has_wide_letters(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0xf0)
            return true;
    return false;
}

static bool
read_created(struct server *s, const char *database, const char *view, json_t *facts,
             struct sql_error *error)
{
    struct created created    = { 0 };
    struct buf     said       = { 0 };
    bool           introduced = false;
    bool           ok         = server_each(s, keep, &created, error, "SHOW CREATE VIEW %s.%s",
                                            server_name(database), server_name(view));
    struct span    text       = ok ? select_of(&created, database, view) : (struct span){ 0 };
    bool           whole      = text.len > 0 && say(&created, text, &said, &introduced);

    if (ok && (!whole || introduced || has_wide_letters(text))) {
        json_object_del(facts, "view_text");
        json_t *known = whole ? json_stringn(buf_cstr(&said), buf_len(&said)) : NULL;
        if (known != NULL)
            json_object_set_new(facts, "view_text", known);
    }
    buf_fini(&said);
    buf_fini(&created.text);
    return ok;
}

bool
view_text_read(struct server *s, const char *database, const char *view, json_t *facts,
               struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT VIEW_DEFINITION, %s, CHECK_OPTION, ALGORITHM"
                               " FROM (SELECT VIEW_DEFINITION, CHECK_OPTION, ALGORITHM,"
                               " COLLATION_CONNECTION AS COLLATION_NAME"
                               " FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %s"
                               " AND TABLE_NAME = %s) c", facts_collation_id(s),
                               server_text(database), server_text(view));
    json_t *row  = json_array_get(rows, 0);

    if (row) {
        model_set(facts, "view_text", server_cell(row, 0));
        json_object_set_new(facts, "view_collation",
                            json_integer(strtoll(server_cell(row, 1), NULL, 10)));
        json_object_set_new(facts, "view_unchecked",
                            json_boolean(strcmp(server_cell(row, 2), "NONE") == 0));
        json_object_set_new(facts, "view_materialized",
                            json_boolean(strcmp(server_cell(row, 3), "TEMPTABLE") == 0));
    }
    json_decref(rows);
    const char *text = model_text(facts, "view_text");
    return rows != NULL && (text == NULL || strpbrk(text, "'?") == NULL ||
                            read_created(s, database, view, facts, error));
}
