/* lex.c - see lex.h. */
#include "core/sql/lex.h"

#include "core/sql/charset.h"

/* Servers of every supported version run, or skip, what is not between these. */
enum { DEFAULT_VERSION = 101100, NEWEST_VERSION = 120000 };

/* lex.next: what the token before makes of the one that comes. */
enum {
    NEXT_ANY,
    NEXT_DOT,    /* a '.' that ends a name: never the point of a number */
    NEXT_NAME,   /* a word here is a name, even a keyword or one that is a number */
    NEXT_SYSTEM, /* the word behind @@: a keyword even next to a dot */
};

enum { WORD = 1, DIGIT = 2, SPACE = 4, HEX = 8, HOST = 16 };
#define D (WORD | DIGIT | HEX | HOST)
#define X (WORD | HEX | HOST)
#define L (WORD | HOST)
#define H (WORD | HOST)
#define S SPACE

static const uint8_t classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, S, S, S, S, S, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    S, 0, 0, 0, L, 0, 0, 0, 0, 0, 0, 0, 0, 0, HOST, 0,
    D, D, D, D, D, D, D, D, D, D, 0, 0, 0, 0, 0, 0,
    0, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, 0, L,
    0, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, 0, 0,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
};

#undef D
#undef X
#undef L
#undef H
#undef S

/* The byte at `at`; 0 at the end, which is what the server sees there. */
static inline uint8_t
byte_at(const struct lex *l, uint32_t at)
{
    return at < l->len ? l->text[at] : 0;
}

static inline bool
is(uint8_t c, uint8_t class)
{
    return (classes[c] & class) != 0;
}

/* Does a word go on at `at`? */
static inline bool
word_at(const struct lex *l, uint32_t at)
{
    uint8_t c = byte_at(l, at);

    return is(c, WORD) && (c != 0xa0 || l->options.charset != LEX_LATIN1);
}

static inline uint32_t
skip_class(const struct lex *l, uint32_t at, uint8_t class)
{
    while (at < l->len && is(l->text[at], class))
        at++;
    return at;
}

static struct token
bad(struct lex *l, uint32_t start)
{
    l->bad = true;
    return (struct token){ .kind = TOK_BAD, .start = start, .end = l->len };
}

static inline struct token
finish(struct lex *l, enum token_kind kind, uint32_t start, uint32_t end)
{
    l->at = end;
    return (struct token){ .kind = kind, .start = start, .end = end };
}

static bool
has_high(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 0x80)
            return true;
    return false;
}

void
lex_init(struct lex *l, struct span text, struct lex_options options)
{
    *l = (struct lex){ .text = text.ptr, .options = options };
    if (text.len >= UINT32_MAX ||
        (options.charset == LEX_UNSAFE && has_high(text))) {
        l->bad = true;
        return;
    }
    l->len = (uint32_t)text.len;
}

/* Space and comments. */

/* Behind a comment's end, looking from inside it. `nested` comments in it are
 * looked through, no deeper. 0: it does not end. */
static uint32_t
comment_end(const struct lex *l, uint32_t at, bool nested)
{
    for (; at + 1 < l->len; at++) {
        if (l->text[at] == '*' && l->text[at + 1] == '/')
            return at + 2;
        if (nested && l->text[at] == '/' && l->text[at + 1] == '*') {
            uint32_t inner = comment_end(l, at + 2, false);
            if (inner == 0)
                return 0;
            at = inner - 1;
        }
    }
    return 0;
}

/* Remember a "shardd:" comment; [start, end) is what is between delimiters. */
static void
note_hint(struct lex *l, uint32_t start, uint32_t end)
{
    static const char mark[] = "shardd:";
    const uint32_t    len    = sizeof(mark) - 1;

    start = skip_class(l, start, SPACE);
    if (end < start || end - start < len || memcmp(l->text + start, mark, len) != 0)
        return;
    l->hint = (struct span){ l->text + start + len, end - start - len };
}

/* Version digits at `at`: how many (5 or 6), or 0 when there are none. */
static uint32_t
version_digits(const struct lex *l, uint32_t at, uint32_t *version)
{
    uint32_t n = 0;

    *version = 0;
    while (n < 6 && is(byte_at(l, at + n), DIGIT))
        *version = *version * 10 + (uint32_t)(l->text[at + n++] - '0');
    return n >= 5 ? n : 0;
}

/* At a slash and star. Sets `at` behind the comment, or behind the opening of
 * an executable one. False when it does not end, or when the server's version
 * would matter and is not known. */
static bool
skip_comment(struct lex *l)
{
    uint32_t at    = l->at + 2;
    bool     maria = byte_at(l, at) == 'M' && byte_at(l, at + 1) == '!';
    uint32_t end, version, ours = l->options.server_version;

    if (!maria && byte_at(l, at) != '!') {
        end = comment_end(l, at, false);
        if (end == 0)
            return false;
        note_hint(l, at, end - 2);
        l->at = end;
        return true;
    }
    at += maria ? 2 : 1;
    l->had_exec_comment = true;

    /* MySQL's own versions from 5.7 on mean nothing to MariaDB. */
    uint32_t digits = version_digits(l, at, &version);
    bool     mysql  = !maria && version >= 50700 && version <= 99999;
    if (ours == 0 && version > DEFAULT_VERSION && version < NEWEST_VERSION)
        return false;
    if (digits == 0 || (!mysql && version <= (ours != 0 ? ours : DEFAULT_VERSION))) {
        l->in_comment = true;
        l->at         = at + digits;
        return true;
    }
    end = comment_end(l, at, true);
    l->at = end;
    return end != 0;
}

/* To the end of the line or of the text. */
static void
skip_line(struct lex *l, uint32_t from)
{
    const uint8_t *newline = memchr(l->text + from, '\n', l->len - from);

    l->at = newline ? (uint32_t)(newline - l->text) : l->len;
}

/* Two dashes begin a comment when space, a control character or the end
 * follows. */
static bool
at_dashes(const struct lex *l)
{
    uint8_t c = byte_at(l, l->at + 2);

    return byte_at(l, l->at + 1) == '-' &&
           (c <= ' ' || c == 0x7f || (c == 0xa0 && l->options.charset == LEX_LATIN1));
}

/* Returns false when a comment does not end. */
static bool
skip_space(struct lex *l)
{
    while (l->at < l->len) {
        uint8_t c = l->text[l->at];

        if (is(c, SPACE) || (c == 0xa0 && l->options.charset == LEX_LATIN1)) {
            l->at++;
        } else if (c == '#') {
            skip_line(l, l->at + 1);
        } else if (c == '-' && at_dashes(l)) {
            skip_line(l, l->at + 2);
        } else if (c == '/' && byte_at(l, l->at + 1) == '*') {
            if (!skip_comment(l))
                return false;
        } else if (c == '*' && l->in_comment && byte_at(l, l->at + 1) == '/') {
            l->in_comment = false;
            l->at += 2;
        } else {
            return true;
        }
        l->next = NEXT_ANY;
    }
    return true;
}

/* Behind the closing quote, from behind the opening one; 0: it does not end. */
static uint32_t
quoted_end(const struct lex *l, uint32_t at, uint8_t quote, bool escapes)
{
    for (; at < l->len; at++) {
        uint8_t c = l->text[at];

        if (c == quote) {
            if (byte_at(l, at + 1) != quote)
                return at + 1;
            at++;
        } else if (c == '\\' && escapes) {
            at++;
        }
    }
    return 0;
}

static struct token
string(struct lex *l, enum token_kind kind, uint32_t start, uint32_t open)
{
    uint32_t end = quoted_end(l, open + 1, l->text[open], !l->options.no_backslash_escapes);

    return end != 0 ? finish(l, kind, start, end) : bad(l, start);
}

static struct token
quoted_name(struct lex *l, uint32_t start)
{
    uint32_t end = quoted_end(l, start + 1, l->text[start], false);

    return end != 0 ? finish(l, TOK_QUOTED, start, end) : bad(l, start);
}

/* x'1f' and b'01': an even number of hex digits, any number of bits. */
static struct token
quoted_digits(struct lex *l, uint32_t start, enum token_kind kind)
{
    uint32_t at = start + 2;

    if (kind == TOK_HEX_STRING) {
        at = skip_class(l, at, HEX);
        if ((at - start) % 2 != 0)
            return bad(l, start);
    } else {
        while (byte_at(l, at) == '0' || byte_at(l, at) == '1')
            at++;
    }
    return byte_at(l, at) == '\'' ? finish(l, kind, start, at + 1) : bad(l, start);
}

/* Numbers. */

/* Behind an exponent at `at` (where the e is), or 0 when it is none. */
static uint32_t
exponent_end(const struct lex *l, uint32_t at)
{
    at++;
    if (byte_at(l, at) == '+' || byte_at(l, at) == '-')
        at++;
    return is(byte_at(l, at), DIGIT) ? skip_class(l, at, DIGIT) : 0;
}

/* From the point on. */
static struct token
fraction(struct lex *l, uint32_t start, uint32_t point)
{
    uint32_t at = skip_class(l, point + 1, DIGIT);

    if ((byte_at(l, at) | 0x20) != 'e')
        return finish(l, TOK_DECIMAL, start, at);
    at = exponent_end(l, at);
    return at != 0 ? finish(l, TOK_FLOAT, start, at) : bad(l, start);
}

/* 0x1f and 0b01, when the whole word is one. */
static uint32_t
prefixed_end(const struct lex *l, uint32_t start, enum token_kind *kind)
{
    uint32_t at = start + 2;

    if (l->text[start] != '0')
        return 0;
    if (byte_at(l, start + 1) == 'x') {
        *kind = TOK_HEX;
        at    = skip_class(l, at, HEX);
    } else if (byte_at(l, start + 1) == 'b') {
        *kind = TOK_BIT;
        while (byte_at(l, at) == '0' || byte_at(l, at) == '1')
            at++;
    }
    return at > start + 2 && !word_at(l, at) ? at : 0;
}

static struct token word(struct lex *l, uint32_t start, uint8_t next);

/* A word that begins with a digit is a number if nothing else is in it. */
static struct token
number(struct lex *l, uint32_t start, uint8_t next)
{
    enum token_kind kind = TOK_INT;
    uint32_t        end  = prefixed_end(l, start, &kind);

    if (end != 0)
        return finish(l, kind, start, end);

    uint32_t at = skip_class(l, start, DIGIT);
    uint8_t  c  = byte_at(l, at);
    if (c == '.')
        return fraction(l, start, at);
    if (!word_at(l, at))
        return finish(l, TOK_INT, start, at);
    if ((c | 0x20) == 'e') {
        end = exponent_end(l, at);
        if (end != 0)
            return finish(l, TOK_FLOAT, start, end);
    }
    return word(l, start, next);
}

/* Words. */

/* Where a word of bytes >= 0x80 ends in sets other than UTF-8; false when it
 * is not ours to say. */
static bool
high_ends(const struct lex *l, uint32_t start, uint32_t *end)
{
    for (uint32_t at = start; at < *end; at++) {
        if (l->text[at] < 0x80)
            continue;
        if (l->options.charset != LEX_LATIN1)
            return false;
        if (l->text[at] == 0xa0) {
            *end = at;
            return true;
        }
    }
    return true;
}

static struct token
word(struct lex *l, uint32_t start, uint8_t next)
{
    uint32_t end = skip_class(l, start, WORD);

    if (l->options.charset != LEX_UTF8 && !high_ends(l, start, &end))
        return bad(l, start);

    struct token t      = finish(l, TOK_IDENT, start, end);
    bool         dotted = byte_at(l, end) == '.' && word_at(l, end + 1);
    if (dotted)
        l->next = NEXT_DOT;
    if (next == NEXT_NAME || (dotted && next != NEXT_SYSTEM))
        return t;

    t.keyword = keyword_find(l->text + start, end - start);
    if (t.keyword != NO_KEYWORD)
        t.kind = TOK_KEYWORD;
    else if (l->text[start] == '_' && charset_known(span_from(token_text(l, t), 1)))
        t.kind = TOK_INTRODUCER;
    return t;
}

/* A word, unless its first letter and a quote behind it make a string. */
static struct token
word_or_string(struct lex *l, uint32_t start, uint8_t next)
{
    if (byte_at(l, start + 1) == '\'') {
        switch (l->text[start] | 0x20) {
        case 'x': return quoted_digits(l, start, TOK_HEX_STRING);
        case 'b': return quoted_digits(l, start, TOK_BIT);
        case 'n': return string(l, TOK_NSTRING, start, start + 1);
        default: break;
        }
    }
    return word(l, start, next);
}

/* Everything else. */

static struct token
operator(struct lex *l, uint32_t start, uint32_t len, uint32_t op)
{
    struct token t = finish(l, TOK_OP, start, start + len);

    t.op = op;
    return t;
}

static struct token
variable(struct lex *l, uint32_t start)
{
    uint8_t  c  = byte_at(l, start + 1);
    uint32_t at = start + 1;

    if (c == '@') {
        l->next = NEXT_SYSTEM;
        return operator(l, start, 2, OP_SYSTEM_VAR);
    }
    if (c == '`')
        at = quoted_end(l, at + 1, c, false);
    else if (c == '\'' || c == '"')
        at = quoted_end(l, at + 1, c, !l->options.no_backslash_escapes);
    else
        at = skip_class(l, at, HOST);
    if (at == 0 || (l->options.charset != LEX_UTF8 && c != '\'' && c != '"' && c != '`' &&
                    has_high((struct span){ l->text + start, at - start })))
        return bad(l, start);
    if (at == start + 1)
        return operator(l, start, 1, '@');
    return finish(l, TOK_USER_VAR, start, at);
}

static struct token
dot(struct lex *l, uint32_t start, uint8_t next)
{
    if (next != NEXT_DOT && is(byte_at(l, start + 1), DIGIT))
        return fraction(l, start, start);
    if (word_at(l, start + 1))
        l->next = NEXT_NAME;
    return operator(l, start, 1, '.');
}

/* The operators of more than one character, longest first. */
static struct token
symbol(struct lex *l, uint32_t start, uint8_t c)
{
    static const struct {
        char     text[4];
        uint8_t  len;
        uint16_t op;
    } longer[] = {
        { "<=>", 3, OP_NULL_SAFE_EQUAL }, { "->>", 3, OP_ARROW_TEXT },
        { "<=", 2, OP_LESS_EQUAL },       { "<>", 2, OP_NOT_EQUAL },
        { "<<", 2, OP_SHIFT_LEFT },       { ">=", 2, OP_GREATER_EQUAL },
        { ">>", 2, OP_SHIFT_RIGHT },      { "!=", 2, OP_NOT_EQUAL },
        { "&&", 2, OP_AND_AND },          { "||", 2, OP_OR_OR },
        { ":=", 2, OP_ASSIGN },           { "->", 2, OP_ARROW },
    };

    for (size_t i = 0; i < countof(longer); i++)
        if (c == longer[i].text[0] && longer[i].len <= l->len - start &&
            memcmp(l->text + start, longer[i].text, longer[i].len) == 0)
            return operator(l, start, longer[i].len, longer[i].op);
    return operator(l, start, 1, c);
}

static struct token
other(struct lex *l, uint32_t start, uint8_t c, uint8_t next)
{
    /* In swe7, which counts as unsafe, these are letters. */
    if (l->options.charset == LEX_UNSAFE && c != 0 && strchr("{|}~^", c) != NULL)
        return bad(l, start);
    switch (c) {
    case '(': case ')': case ',': case ';': case '+': case '*': case '/': case '%': case '~':
    case '^': case '{': case '}': case '=':
        return operator(l, start, 1, c);
    case '<': case '>': case '!': case '&': case '|': case ':': case '-':
        return symbol(l, start, c);
    case '.':
        return dot(l, start, next);
    case '\'':
        return string(l, TOK_STRING, start, start);
    case '"':
        if (!l->options.ansi_quotes)
            return string(l, TOK_STRING, start, start);
        return quoted_name(l, start);
    case '`':
        return quoted_name(l, start);
    case '?':
        return finish(l, TOK_PARAM, start, start + 1);
    case '@':
        return variable(l, start);
    case '\\':
        if (byte_at(l, start + 1) == 'N') {
            struct token t = finish(l, TOK_KEYWORD, start, start + 2);
            t.keyword      = KW_NULL;
            return t;
        }
        return bad(l, start);
    default:
        return bad(l, start);
    }
}

struct token
lex_next(struct lex *l)
{
    if (l->bad || !skip_space(l))
        return bad(l, l->at);

    uint32_t start = l->at;
    if (start == l->len)
        return l->in_comment ? bad(l, start) : finish(l, TOK_END, start, start);

    uint8_t c    = l->text[start];
    uint8_t next = l->next;
    l->next      = NEXT_ANY;
    if (!is(c, WORD))
        return other(l, start, c, next);
    if (next == NEXT_NAME)
        return word(l, start, next);
    return is(c, DIGIT) ? number(l, start, next) : word_or_string(l, start, next);
}
