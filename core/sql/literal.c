/* literal.c - see literal.h. */
#include "core/sql/literal.h"

static uint8_t
hex_digit(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* What a backslash and `c` stand for; 0 bytes, one or two, in `out`. */
static size_t
unescape(uint8_t c, uint8_t out[2])
{
    out[0] = c;
    switch (c) {
    case '0': out[0] = 0; return 1;
    case 'b': out[0] = '\b'; return 1;
    case 'n': out[0] = '\n'; return 1;
    case 'r': out[0] = '\r'; return 1;
    case 't': out[0] = '\t'; return 1;
    case 'Z': out[0] = 26; return 1;
    case '%':
    case '_':
        out[0] = '\\';
        out[1] = c;
        return 2;
    default: return 1;
    }
}

/* `s` begins and ends with its quote. */
static void
decode_quoted(struct span s, bool escapes, struct buf *out)
{
    uint8_t  quote = s.ptr[0];
    uint8_t *to    = buf_reserve(out, s.len);
    size_t   n     = 0;

    for (size_t i = 1; i + 1 < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '\\' && escapes && i + 2 < s.len)
            n += unescape(s.ptr[++i], to + n);
        else {
            to[n++] = c;
            i += c == quote; /* its double */
        }
    }
    buf_commit(out, n);
}

static void
decode_hex(const uint8_t *digits, size_t n, struct buf *out)
{
    uint8_t high = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t digit = hex_digit(digits[i]);

        if ((n - i) % 2 == 0)
            high = digit;
        else
            buf_append_byte(out, (uint8_t)(high << 4 | digit));
        if ((n - i) % 2 != 0)
            high = 0;
    }
}

static void
decode_bits(const uint8_t *digits, size_t n, struct buf *out)
{
    uint8_t byte = 0;

    for (size_t i = 0; i < n; i++) {
        byte = (uint8_t)(byte << 1 | (digits[i] - '0'));
        if ((n - i) % 8 == 1) {
            buf_append_byte(out, byte);
            byte = 0;
        }
    }
}

bool
literal_decode(struct span s, enum token_kind kind, struct lex_options options, struct buf *out)
{
    size_t quoted = s.len >= 3 && s.ptr[s.len - 1] == '\'' ? 1 : 0;

    switch (kind) {
    case TOK_INT:
    case TOK_DECIMAL:
    case TOK_FLOAT:
        buf_append_span(out, s);
        return true;
    case TOK_STRING:
    case TOK_NSTRING:
        if (kind == TOK_NSTRING)
            s = span_from(s, 1);
        decode_quoted(s, !options.no_backslash_escapes, out);
        return true;
    case TOK_HEX:
    case TOK_HEX_STRING:
        decode_hex(s.ptr + 2, s.len - 2 - quoted, out);
        return true;
    case TOK_BIT:
        decode_bits(s.ptr + 2, s.len - 2 - quoted, out);
        return true;
    case TOK_END: case TOK_BAD: case TOK_IDENT: case TOK_QUOTED: case TOK_KEYWORD: case TOK_OP:
    case TOK_PARAM: case TOK_USER_VAR: case TOK_INTRODUCER:
        return false;
    }
    return false;
}

bool
literal_u64(struct span s, uint64_t *value)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' ||
            __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    *value = v;
    return s.len != 0;
}

void
literal_name(struct span token, struct lex_options options, struct buf *out)
{
    uint8_t c;

    if (token.len != 0 && token.ptr[0] == '@')
        token = span_from(token, 1);
    c = token.len != 0 ? token.ptr[0] : 0;
    if (c == '`' || (c == '"' && options.ansi_quotes))
        decode_quoted(token, false, out);
    else if (c == '\'' || c == '"')
        decode_quoted(token, !options.no_backslash_escapes, out);
    else
        buf_append_span(out, token);
}
