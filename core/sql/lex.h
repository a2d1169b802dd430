/* lex.h - SQL text into tokens, by MariaDB 10.11's rules, without allocation.
 *
 *   SELECT `a b`, 1.5 FROM t.select WHERE x = _utf8mb4'it''s'
 *   KEYWORD QUOTED OP DECIMAL KEYWORD IDENT OP IDENT KEYWORD IDENT OP INTRODUCER STRING
 *
 * Tokens are ranges of the text. Comments and space are skipped; the contents
 * of an executable comment (slash-star-bang, with a version number up to
 * 10.11's) are tokens like any other. What the server's lexer would refuse is
 * TOK_BAD, and so is what it would read differently in another character set;
 * after TOK_BAD only TOK_BAD comes. Where this lexer is not as strict as the
 * server it accepts more, so that the server still answers with its own error.
 *
 * Source: MariaDB Knowledge Base "Identifier Names", "String Literals",
 * "Numeric Literals", "Comment Syntax"; every row of the unit test was
 * compared with a server.
 */
#ifndef CORE_SQL_LEX_H
#define CORE_SQL_LEX_H

#include "core/base/base.h"
#include "core/sql/keyword.h"

/* How bytes >= 0x80 read. A server lexes in character_set_client. */
enum lex_charset {
    LEX_UTF8,   /* utf8mb3, utf8mb4, and multi-byte sets whose trailing bytes are >= 0x80 */
    LEX_LATIN1, /* 0xA0 is a space */
    LEX_BYTES,  /* other single-byte sets: such bytes only inside quotes and comments */
    LEX_UNSAFE, /* gbk, big5, sjis, cp932: a trailing byte may be a backslash or a backquote,
                   so any such byte is TOK_BAD */
};

/* By the server's name of the set ("utf8mb4"); unknown names are LEX_UNSAFE. */
enum lex_charset lex_charset_of(struct span name);

struct lex_options {
    enum lex_charset charset;
    bool             ansi_quotes;          /* sql_mode: "..." is a name */
    bool             no_backslash_escapes; /* sql_mode */
    bool             pipes_as_concat;      /* sql_mode: for the parser, || binds tighter than * */
    bool             high_not_precedence;  /* sql_mode: for the parser */
    bool             oracle;               /* sql_mode: for the parser: ROWNUM, MINUS ... */
    uint32_t         server_version;       /* 101119 is 10.11.19: which executable comments run.
                                              0: not known; then those for versions up to
                                              101100 run, and up to 120000 are TOK_BAD */
};

enum token_kind {
    TOK_END,        /* end of the text; start == end == its length */
    TOK_BAD,
    TOK_IDENT,      /* unquoted name that is no keyword, or a keyword next to a dot */
    TOK_QUOTED,     /* `...`, or "..." under ansi_quotes; range includes the quotes */
    TOK_KEYWORD,    /* `keyword` says which */
    TOK_OP,         /* `op` says which */
    TOK_PARAM,      /* ? */
    TOK_USER_VAR,   /* @name @'name' @"name" @`name`; also the @host of a user name */
    TOK_INTRODUCER, /* _utf8mb4 and so on, whatever follows */
    TOK_INT,        /* literals from here on: see token_is_literal() */
    TOK_DECIMAL,    /* 1.5 .5 1. */
    TOK_FLOAT,      /* 1e5 */
    TOK_STRING,     /* '...', or "..." without ansi_quotes */
    TOK_NSTRING,    /* N'...' */
    TOK_HEX,        /* 0x1f (a number in numeric context) */
    TOK_HEX_STRING, /* x'1f' (always a string) */
    TOK_BIT,        /* b'101', 0b101 */
};

/* One-character operators are their character: ( ) , . ; + - * / % = < > ! ~ & | ^ { } : @ */
enum lex_op {
    OP_NULL_SAFE_EQUAL = 256, /* <=> */
    OP_LESS_EQUAL, OP_GREATER_EQUAL,
    OP_NOT_EQUAL,             /* != <> */
    OP_SHIFT_LEFT, OP_SHIFT_RIGHT,
    OP_AND_AND, OP_OR_OR,
    OP_ASSIGN,                /* := */
    OP_ARROW, OP_ARROW_TEXT,  /* -> ->> */
    OP_SYSTEM_VAR,            /* @@ ; the name follows as tokens */
};

struct token {
    enum token_kind kind;
    union {
        enum keyword keyword; /* TOK_KEYWORD */
        uint32_t     op;      /* TOK_OP: a character or enum lex_op */
    };
    uint32_t start, end; /* byte range [start, end) of the text */
};

/* A value: copy it to look ahead. The text outlives it. */
struct lex {
    const uint8_t     *text;
    uint32_t           len;
    uint32_t           at;         /* where the next token is looked for */
    struct lex_options options;
    uint8_t            next;       /* private: what the last token makes of the next */
    bool               in_comment; /* inside an executable comment */
    bool               bad;
    bool               had_exec_comment; /* an executable comment was entered or skipped */
    struct span        hint;       /* contents behind "shardd:" of the last block comment
                                      that begins so; ptr NULL: none */
};

/* `text` is at most UINT32_MAX - 1 bytes; longer is TOK_BAD at once. */
void lex_init(struct lex *l, struct span text, struct lex_options options);

/* The next token. At the end, again and again TOK_END (or TOK_BAD when an
 * executable comment is open). A ';' is TOK_OP: the caller splits there. */
struct token lex_next(struct lex *l);

static inline bool
token_is_literal(enum token_kind kind)
{
    return kind >= TOK_INT;
}

static inline bool
token_is_op(struct token t, uint32_t op)
{
    return t.kind == TOK_OP && t.op == op;
}

static inline bool
token_is_keyword(struct token t, enum keyword k)
{
    return t.kind == TOK_KEYWORD && t.keyword == k;
}

static inline struct span
token_text(const struct lex *l, struct token t)
{
    return (struct span){ l->text + t.start, t.end - t.start };
}

/* Does a compound statement begin at `l`, one that holds ';' of its own: CREATE PROCEDURE and the
 * like, BEGIN NOT ATOMIC, IF, LOOP ..., ORACLE's BEGIN and DECLARE? It reaches to the end of the
 * text. */
bool lex_compound(const struct lex *l);

/* No token is in it: blanks and comments. */
bool lex_is_blank(struct span text, struct lex_options options);

/* Length of the first statement of `text` without its ';'; `*rest` is where
 * the next one begins (text.len when there is none). A text that does not lex,
 * and a compound statement, is one statement as a whole. */
size_t lex_split(struct span text, struct lex_options options, size_t *rest);

/* The same for a connection that may send several statements in one text: a compound statement
 * ends where its last block does (lex_program.c), in ORACLE's dialect with the text. */
size_t lex_split_programs(struct span text, struct lex_options options, size_t *rest);

/* Copy `text` to `out` (text.len bytes), same length, with the delimiters of
 * executable comments, and whole comments of every other kind, as spaces: so
 * that parts of it can be taken and put together anew. Offsets stay right.
 * (Right behind two minus signs, where a space would make them a comment, an
 * empty one, '#' and a newline, stands instead.) */
void lex_blank_comments(struct span text, struct lex_options options, uint8_t *out);

#endif
