/* plan_load.c - see plan_internal.h: LOAD DATA. */
#include "core/route/collation.h"
#include "core/route/plan_internal.h"

struct loader {
    struct planner           *p;
    const struct load        *l;
    const struct route_table *table;
    struct load_spec         *spec;
};

static const char *
charset_name(uint16_t collation)
{
    switch (collation_charset(collation)) {
    case CHARSET_UTF8MB4: return "utf8mb4";
    case CHARSET_UTF8MB3: return "utf8mb3";
    case CHARSET_LATIN1:  return "latin1";
    case CHARSET_ASCII:   return "ascii";
    case CHARSET_BINARY: case CHARSET_UNKNOWN: break;
    }
    return "binary";
}

static bool
file_charset(struct loader *m)
{
    static const struct {
        const char *name;
        uint16_t    collation;
    } sets[] = {
        { "utf8mb4", 45 }, { "utf8mb3", 33 }, { "utf8", 33 }, { "latin1", 8 }, { "ascii", 11 },
        { "binary", 63 },
    };
    struct planner *p        = m->p;
    uint32_t        database = routes_database(p->routes, p->context->schema);

    if (m->l->charset.ptr == NULL) {
        m->spec->default_charset = true;
        if (database != ROUTES_NONE)
            m->spec->collation = p->routes->databases[database].collation;
        if (collation_charset(m->spec->collation) != CHARSET_UNKNOWN)
            return true;
        return NOT_YET(p, "shardd: the character set of the file is not known: name it "
                          "(LOAD DATA ... INTO TABLE %.*s CHARACTER SET utf8mb4 ...)",
                       SHOWN(m->table->name));
    }
    for (size_t i = 0; i < countof(sets); i++)
        if (span_equal_nocase(m->l->charset, span_of(sets[i].name))) {
            m->spec->collation = sets[i].collation;
            return true;
        }
    return NOT_YET(p, "shardd: files for the sharded table '%.*s' are utf8mb4, utf8mb3, latin1, "
                      "ascii or binary, not %.*s: convert the file", SHOWN(m->table->name),
                   SHOWN(m->l->charset));
}

/* One byte or none. False: more than one. */
static bool
one_byte(struct span s, int *out)
{
    if (s.len == 1)
        *out = s.ptr[0];
    return s.len <= 1;
}

static bool
file_format(struct loader *m)
{
    const struct load  *l = m->l;
    struct load_format *f = &m->spec->format;
    struct span escaped   = l->escaped;

    if (escaped.ptr == NULL && !m->p->context->lex.no_backslash_escapes)
        escaped = SPAN("\\");
    f->field_term = l->field_term.ptr != NULL ? l->field_term : SPAN("\t");
    f->line_term  = l->line_term.ptr != NULL ? l->line_term : SPAN("\n");
    f->line_start = l->line_start;
    f->enclosed = f->escape = LOAD_NO_BYTE;
    f->n_columns  = l->n_items != 0 ? l->n_items : routes_count_visible(m->table);
    if (!one_byte(l->enclosed, &f->enclosed) || !one_byte(escaped, &f->escape))
        return refuse(m->p, 1083, "Field separator argument is not what is expected; check the "
                                  "manual");
    f->field_term = arena_copy(m->p->arena, f->field_term);
    f->line_term  = arena_copy(m->p->arena, f->line_term);
    f->line_start = arena_copy(m->p->arena, f->line_start);
    if (l->ignore_lines != 0 && f->line_term.len == 0 && f->line_start.len != 0)
        return NOT_YET(m->p, "shardd: IGNORE n LINES cannot be together with STARTING BY and lines "
                             "without an end");
    if (load_format_finish(f, m->spec->collation))
        return true;
    return NOT_YET(m->p, "shardd: a file for the table '%.*s' needs separators of ASCII "
                         "characters, and rows of fixed size (neither FIELDS TERMINATED nor "
                         "ENCLOSED BY) are not supported", SHOWN(m->table->name));
}

/* Which column of the file the table's column is; ROUTES_NONE: none. */
static bool
find_column(struct loader *m, uint32_t column, uint32_t *out)
{
    uint32_t at = 0;

    *out = ROUTES_NONE;
    if (m->l->n_items == 0) {
        *out = routes_visible(m->table, column);
        return true;
    }
    for (const struct load_item *i = m->l->items; i != NULL; i = i->next, at++) {
        if (i->variable || routes_column(m->table, i->name) != column)
            continue;
        if (*out != ROUTES_NONE)
            return NOT_YET(m->p, "shardd: the column '%.*s' of '%.*s' is listed twice",
                           SHOWN(i->name), SHOWN(m->table->name));
        *out = at;
    }
    return true;
}

static bool
find_key(struct loader *m)
{
    const struct route_table  *t    = m->table;
    struct load_spec          *spec = m->spec;
    const struct route_column *key;

    if (spec->reference)
        return true;
    key = &t->columns[t->key];
    if (!find_column(m, t->key, &spec->key))
        return false;
    if (spec->key != ROUTES_NONE || t->key == t->auto_increment)
        return true;
    spec->key_null = key->nullable && !key->has_default && !key->generated;
    return spec->key_null ||
           NOT_YET(m->p, "shardd: LOAD DATA into '%.*s' needs its key '%.*s' as a column of the "
                         "file, not by way of a variable", SHOWN(t->name), SHOWN(key->name));
}

static bool
has_digit(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    return false;
}

static bool
is_digit_byte(int byte)
{
    return byte >= '0' && byte <= '9';
}

static bool
find_number(struct loader *m)
{
    const struct route_table *t    = m->table;
    struct load_spec         *spec = m->spec;
    const struct load_format *f    = &spec->format;

    spec->numbered = t->auto_increment != ROUTES_NONE;
    if (!spec->numbered)
        return true;
    if (!find_column(m, t->auto_increment, &spec->number))
        return false;
    if (spec->number != ROUTES_NONE)
        return true;
    if (spec->reference)
        return NOT_YET(m->p, "shardd: a file for the reference table '%.*s' must have its "
                             "AUTO_INCREMENT column, so that all copies get the same numbers",
                       SHOWN(t->name));
    spec->adds_number = true;
    if (f->field_term.len == 0 || has_digit(f->field_term) || has_digit(f->line_term) ||
        has_digit(f->line_start) || is_digit_byte(f->enclosed) || is_digit_byte(f->escape))
        return NOT_YET(m->p, "shardd: numbers for the AUTO_INCREMENT column of '%.*s' need FIELDS "
                             "TERMINATED BY, and separators without digits", SHOWN(t->name));
    return true;
}

/* ---- SET ---- */

static bool
reads_listed(const struct loader *m, const struct expr *e)
{
    for (const struct load_item *i = m->l->items; i != NULL; i = i->next)
        if (i->variable && e->name != NULL && span_equal_nocase(i->name, *e->name))
            return true;
    return false;
}

static bool
check_expr(struct visitor *v, struct expr *e)
{
    struct loader  *m = v->context;
    struct planner *p = m->p;

    if (e->kind == EXPR_SUBQUERY)
        return NOT_YET(p, "shardd: SET of LOAD DATA into '%.*s' cannot read tables",
                       SHOWN(m->table->name));
    if (e->kind == EXPR_ASSIGN || (e->kind == EXPR_USER_VAR && !reads_listed(m, e)))
        return NOT_YET(p, "shardd: SET of LOAD DATA into '%.*s' knows only the variables that its "
                          "column list fills, and assigns none: lines go to several servers",
                       SHOWN(m->table->name));
    if (e->kind == EXPR_FUNC && !function_is_builtin(e->func))
        return NOT_YET(p, "shardd: SET of LOAD DATA into '%.*s' cannot call stored functions",
                       SHOWN(m->table->name));
    if (m->spec->reference && (e->kind == EXPR_SYSTEM_VAR ||
                               (e->kind == EXPR_FUNC && function_differs(e->func))))
        return NOT_YET(p, "shardd: all copies of the reference table '%.*s' must get the same "
                          "values: compute them before", SHOWN(m->table->name));
    return true;
}

static bool
check_set(struct loader *m)
{
    const struct route_table *t = m->table;
    struct visitor            v = { .expr = check_expr, .context = m };

    for (struct assignment *a = m->l->set; a != NULL && !m->p->refused; a = a->next) {
        uint32_t column = routes_column(t, a->column.name);
        if (column != ROUTES_NONE && (column == t->key || column == t->auto_increment))
            return NOT_YET(m->p, "shardd: LOAD DATA into '%.*s' cannot SET '%.*s': rows are placed "
                                 "or numbered by it, so it must be a column of the file",
                           SHOWN(t->name), SHOWN(a->column.name));
        visit_expr(&v, a->value);
    }
    if (!m->p->refused && m->spec->reference && m->p->digest != NULL &&
        (m->p->digest->flags & DIGEST_NOT_DETERMINED) != 0)
        return write_is_repeatable(m->p);
    return !m->p->refused;
}

/* ---- the text ---- */

static void
variables(struct loader *m)
{
    struct load_variable *list = make(m->p, (m->l->n_items + 1) * sizeof(*list));
    uint32_t              at   = 0;

    for (const struct load_item *i = m->l->items; i != NULL; i = i->next, at++)
        if (i->variable)
            list[m->spec->n_variables++] =
                (struct load_variable){ at, arena_copy(m->p->arena, i->name) };
    m->spec->variables = list;
}

static void
put_name(struct text *t, struct span name)
{
    struct buf quoted = { 0 };

    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_append_byte(&quoted, '`');
        buf_append_byte(&quoted, name.ptr[i]);
    }
    text_const(t, "`");
    text_span(t, buf_unread(&quoted));
    text_const(t, "`");
    buf_fini(&quoted);
}

/* The columns of the file, also where the statement does not name them. */
static void
put_columns(struct loader *m, struct text *t)
{
    const struct load *l = m->l;

    text_const(t, " (");
    if (m->spec->adds_number) {
        put_name(t, m->table->columns[m->table->auto_increment].name);
        text_const(t, ", ");
    }
    if (l->n_items != 0)
        text_source(t, l->items_range.start + 1, l->items_range.end - 1);
    for (uint32_t i = 0, n = 0; l->n_items == 0 && i < m->table->n_columns; i++) {
        if (m->table->columns[i].invisible)
            continue;
        if (n++ > 0)
            text_const(t, ", ");
        put_name(t, m->table->columns[i].name);
    }
    text_const(t, ") ");
}

static void
make_text(struct loader *m)
{
    const struct load *l   = m->l;
    uint32_t           at  = m->p->stmt->range.start, end = m->p->stmt->range.end;
    struct text        t;

    text_begin(&t, m->p);
    text_source(&t, at, l->charset_at);
    m->spec->charset = charset_name(m->spec->collation);
    text_const(&t, " CHARACTER SET ");
    text_const(&t, m->spec->charset);
    text_const(&t, " ");
    at = l->charset_range.end != 0 ? l->charset_range.end : l->charset_at;
    if (l->ignore_range.end != 0) {
        text_source(&t, at, l->ignore_range.start);
        at = l->ignore_range.end;
    }
    if (l->n_items != 0) {
        text_source(&t, at, l->items_range.start);
        at = l->items_range.end;
        put_columns(m, &t);
    } else if (m->spec->adds_number) {
        /* They stand before SET, and that before its first assignment. */
        uint32_t word = l->set != NULL ? l->set->range.start : end + 1;
        while (l->set != NULL && (m->p->source[word - 1] | 0x20) != 's')
            word--;
        text_source(&t, at, word - 1);
        at = word - 1;
        put_columns(m, &t);
    }
    text_source(&t, at, end);
    m->spec->text = text_end(&t);
}

/* ---- the plan ---- */

static void
load_split(struct loader *m, const struct instance *target)
{
    struct planner   *p    = m->p;
    struct load_spec *spec = make(p, sizeof(*spec));
    uint32_t          home = p->routes->databases[m->table->database].home;
    struct buf        name = { 0 };

    m->spec         = spec;
    spec->table     = target->table_index;
    spec->reference = m->table->kind == TABLE_REFERENCE;
    spec->skip      = m->l->ignore_lines;
    spec->key       = spec->number = ROUTES_NONE;
    spec->zero_is_number = p->context->zero_is_number;
    if (!file_charset(m) || !file_format(m) || !find_key(m) || !find_number(m) || !check_set(m))
        return;
    if (!literal_decode(m->l->file, TOK_STRING, p->context->lex, &name)) {
        refuse(p, SQL_NOT_SUPPORTED, "shardd: the file's name must be a string");
    } else {
        spec->file = arena_copy(p->arena, buf_unread(&name));
        variables(m);
        make_text(m);
        p->out->kind      = PLAN_LOAD;
        p->out->load      = spec;
        p->out->same_time = spec->reference;
        p->out->target    = (struct target){ .kind = TARGET_EVERY, .home = home };
        p->out->cacheable = false; /* separators are literals */
        p->out->reason    = spec->reference ? "every shard has a copy"
                                            : "each line goes to the owner of its key";
    }
    buf_fini(&name);
}

void
plan_load(struct planner *p)
{
    struct scope    *s = scope_new(p, NULL, NULL);
    struct loader    m = { .p = p, .l = p->stmt->load };
    struct instance *target = scope_add_path(p, s, &m.l->table, (struct span){ 0 });

    p->out->is_write = true;
    m.table          = target->table;
    bool split = m.table != NULL &&
                 (m.table->kind == TABLE_SHARDED || m.table->kind == TABLE_REFERENCE);
    if (split && m.l->xml) {
        NOT_YET(p, "shardd: LOAD XML is possible for global tables only: load '%.*s' from a text "
                   "file", SHOWN(m.table->name));
    } else if (split && !m.l->local) {
        NOT_YET(p, "shardd: LOAD DATA INFILE reads a file of one server, and '%.*s' is on several: "
                   "use LOAD DATA LOCAL INFILE", SHOWN(m.table->name));
    } else if (split) {
        load_split(&m, target);
    } else {
        for (struct assignment *a = m.l->set; a != NULL; a = a->next)
            if (!scope_expr(p, s, a->value))
                return;
        one_home(p, m.l->xml ? "LOAD XML" : "LOAD DATA", true, "a global table");
    }
}
