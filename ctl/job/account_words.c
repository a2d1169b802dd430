/* account_words.c - see account_words.h. */
#include "ctl/job/account_words.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/sql/literal.h"

enum { SYNTAX = 1064 /* ER_PARSE_ERROR */ };

struct words
words_of(struct ddl *d, struct lex_options options)
{
    struct words w = { .d = d };

    lex_init(&w.l, d->request->sql, options);
    w.t = lex_next(&w.l);
    return w;
}

void
words_take(struct words *w)
{
    w->t = lex_next(&w->l);
}

bool
words_at(const struct words *w, const char *word)
{
    return (w->t.kind == TOK_IDENT || w->t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(&w->l, w->t), span_of(word));
}

bool
words_accept(struct words *w, const char *word)
{
    if (!words_at(w, word))
        return false;
    words_take(w);
    return true;
}

bool
words_accept_all(struct words *w, const char *words)
{
    struct words before = *w;
    char         one[24];

    while (*words) {
        size_t len = strcspn(words, " ");
        snprintf(one, sizeof(one), "%.*s", (int)len, words);
        if (!words_accept(w, one)) {
            *w = before;
            return false;
        }
        words += len + (words[len] == ' ');
    }
    return true;
}

bool
words_accept_op(struct words *w, char op)
{
    if (!token_is_op(w->t, (uint32_t)op))
        return false;
    words_take(w);
    return true;
}

bool
words_at_end(const struct words *w)
{
    return w->t.kind == TOK_END || token_is_op(w->t, ';');
}

bool
words_misread(struct words *w)
{
    struct span rest = span_from((struct span){ w->l.text, w->l.len },
                                 w->t.start < w->l.len ? w->t.start : w->l.len);

    if (w->d->error->code != 0)
        return false;
    return sql_error_set(w->d->error, words_at_end(w) ? SYNTAX : SQL_NOT_SUPPORTED,
                         "shardd: this statement about accounts is not understood, or not "
                         "supported, near '%.*s': see Users in shardctl(8)",
                         (int)(rest.len < 60 ? rest.len : 60),
                         (const char *)rest.ptr);
}

const char *
words_name(struct words *w)
{
    struct buf  text = { 0 };
    const char *out  = NULL;
    bool        ok   = true;

    if (w->t.kind == TOK_STRING)
        ok = literal_decode(token_text(&w->l, w->t), w->t.kind, w->l.options, &text);
    else if (w->t.kind == TOK_IDENT || w->t.kind == TOK_QUOTED || w->t.kind == TOK_KEYWORD)
        literal_name(token_text(&w->l, w->t), w->l.options, &text);
    else
        return NULL;
    if (ok && memchr(buf_cstr(&text), 0, buf_len(&text)) == NULL)
        out = arena_cstr(&w->d->arena, buf_unread(&text));
    buf_fini(&text);
    words_take(w);
    return out;
}

bool
words_number(struct words *w, int64_t *out)
{
    if (w->t.kind != TOK_INT || w->t.end - w->t.start > 15)
        return false;
    *out = strtoll(arena_cstr(&w->d->arena, token_text(&w->l, w->t)), NULL, 10);
    words_take(w);
    return true;
}

bool
words_user(struct words *w, const char **out)
{
    if (words_accept(w, "CURRENT_USER")) {
        if (words_accept_op(w, '(') && !words_accept_op(w, ')'))
            return words_misread(w);
        *out = w->d->request->user ? w->d->request->user : "";
        return true;
    }
    *out = words_name(w);
    if (*out == NULL)
        return words_misread(w);
    if (w->t.kind != TOK_USER_VAR)
        return true;
    struct buf host = { 0 };
    literal_name(token_text(&w->l, w->t), w->l.options, &host);
    bool any = span_equal(buf_unread(&host), SPAN("%"));
    buf_fini(&host);
    words_take(w);
    return any || sql_error_set(w->d->error, SQL_NOT_SUPPORTED,
                                "shardd: users of shardd have no host: leave it out, or write "
                                "'%%'");
}

void
words_put_name(struct buf *out, const char *name, bool pattern)
{
    buf_append_byte(out, '`');
    for (; *name; name++) {
        if (*name == '`')
            buf_append_byte(out, '`');
        if (pattern && (*name == '_' || *name == '%' || *name == '\\'))
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*name);
    }
    buf_append_byte(out, '`');
}
