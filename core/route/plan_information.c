/* plan_information.c - see plan_internal.h: what information_schema, and the SHOWs that read
 * it, have of several shards (core/route/information.h says how it is added up). */
#include "core/base/hex.h"
#include "core/route/plan_internal.h"
#include "core/sql/literal.h"

void
plan_information_note(struct planner *p, struct span name)
{
    enum information_table t = information_find(name);
    if (t != INFORMATION_N)
        p->out->information |= 1u << t;
    else if (p->routes->n_shards > 1 && information_is_servers(name))
        NOT_YET(p, "shardd: information_schema.%.*s is about one server, and there are several: "
                   "ask them ('shardctl shard list' says where they are)", SHOWN(name));
}

/* --- which database is it about? ------------------------------------------- */

struct asked {
    struct planner *p;
    uint32_t        database; /* ROUTES_NONE: none was named that is known */
    bool            several;
};

/* TABLE_SCHEMA, ROUTINE_SCHEMA, CONSTRAINT_SCHEMA ..., and SCHEMA_NAME */
static bool
is_schema_column(const struct expr *e)
{
    if (e->kind != EXPR_COLUMN)
        return false;
    struct span name = e->path->name;
    return span_equal_nocase(name, SPAN("SCHEMA_NAME")) ||
           (name.len > 7 && span_equal_nocase(span_from(name, name.len - 7), SPAN("_SCHEMA")));
}

static void
ask_for(struct asked *a, const struct expr *e)
{
    struct buf  name  = { 0 };
    struct span token = { a->p->text.ptr + e->start, e->end - e->start };
    if (literal_decode(token, TOK_STRING, a->p->context->lex, &name)) {
        uint32_t database = routes_database(a->p->routes, buf_unread(&name));
        a->several |= a->database != ROUTES_NONE && database != ROUTES_NONE &&
                      database != a->database;
        a->database = database != ROUTES_NONE ? database : a->database;
    }
    buf_fini(&name);
}

/* x = 'a', x IN ('a') */
static bool
see_schema(struct visitor *v, struct expr *e)
{
    bool equal = (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL) ||
                 (e->kind == EXPR_IN && !e->negated);
    if (!equal)
        return true;
    bool named = false;
    for (struct expr *x = e->args; x != NULL; x = x->next)
        named |= is_schema_column(bare(x));
    for (struct expr *x = e->args; named && x != NULL; x = x->next)
        if (bare(x)->kind == EXPR_LITERAL && bare(x)->literal == TOK_STRING)
            ask_for(v->context, bare(x));
    return true;
}

/* The plan is for this literal only. */
static uint32_t
asked_database(struct planner *p)
{
    struct asked   a = { .p = p, .database = ROUTES_NONE };
    struct visitor v = { .expr = see_schema, .context = &a };
    if (p->stmt == NULL || p->routes->n_shards == 1)
        return ROUTES_NONE;
    visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
    if (a.database != ROUTES_NONE)
        p->out->cacheable = false;
    return a.several ? ROUTES_NONE : a.database;
}

uint32_t
plan_information_home(struct planner *p)
{
    uint32_t home  = home_of(p, p->context->schema, &p->home_database);
    uint32_t asked = asked_database(p);
    if (asked == ROUTES_NONE)
        return home;
    p->home_database = asked;
    return p->routes->databases[asked].home;
}

/* Without one, what one shard says of databases at home elsewhere is not all there is. */
static bool
is_about_several(struct planner *p)
{
    bool differ = false;
    for (uint32_t i = 1; i < p->routes->n_databases; i++)
        differ |= p->routes->databases[i].home != p->routes->databases[0].home;
    return differ && asked_database(p) == ROUTES_NONE;
}

/* --- is it about what differs at all? -------------------------------------- */

struct look {
    uint32_t tables;
    bool     found;
};

static bool
look_at(struct visitor *v, struct expr *e)
{
    struct look *l = v->context;
    if (e->kind == EXPR_FUNC && e->n_args == 1 && e->args->kind == EXPR_STAR)
        return false; /* COUNT(*) */
    l->found |= e->kind == EXPR_STAR;
    for (int t = 0; e->kind == EXPR_COLUMN && t < INFORMATION_SUMS; t++)
        l->found |= (l->tables >> t & 1) != 0 &&
                    information_is_sum((enum information_table)t, e->path->name);
    return true;
}

/* --- which rows are wanted -------------------------------------------------- */

static bool
is_constant(struct expr *e)
{
    e = bare(e);
    if (e->kind == EXPR_LITERAL)
        return e->literal == TOK_STRING;
    return e->kind == EXPR_FUNC && e->n_args == 0 &&
           (span_equal_nocase(e->func->name.name, SPAN("DATABASE")) ||
            span_equal_nocase(e->func->name.name, SPAN("SCHEMA")));
}

static bool
is_name_column(const struct expr *e)
{
    return e->kind == EXPR_COLUMN && (span_equal_nocase(e->path->name, SPAN("TABLE_SCHEMA")) ||
                                      span_equal_nocase(e->path->name, SPAN("TABLE_NAME")));
}

/* TABLE_SCHEMA = 'a': servers need not open the tables of others. */
static void
add_condition(struct text *t, struct expr *e, bool *any)
{
    e = bare(e);
    if (e->kind == EXPR_AND) {
        for (struct expr *a = e->args; a != NULL; a = a->next)
            add_condition(t, a, any);
        return;
    }
    if (e->kind != EXPR_BINARY || e->op != EXPR_OP_EQUAL)
        return;
    struct expr *name = bare(e->args), *value = bare(e->args->next);
    if (!is_name_column(name)) {
        struct expr *other = name;
        name               = value;
        value              = other;
    }
    if (!is_name_column(name) || !is_constant(value))
        return;
    text_const(t, *any ? " AND " : "");
    text_span(t, arena_copy(t->p->arena, name->path->name));
    text_const(t, " = ");
    text_source(t, value->start, value->end);
    *any = true;
}

/* Of one table in one block, by the conditions that all rows must meet. */
static void
note_where(struct planner *p)
{
    struct query *q = p->stmt->kind == STMT_SELECT ? p->stmt->query : NULL;
    if (q == NULL || q->kind != QUERY_BLOCK || q->where == NULL || p->n_instances != 1 ||
        (p->out->information & (1u << INFORMATION_TABLESTATS)) != 0)
        return;
    struct text t;
    bool        any = false;
    text_begin(&t, p);
    add_condition(&t, q->where, &any);
    if (any)
        p->out->information_where = text_keep(&t);
}

void
plan_information_finish(struct planner *p)
{
    const uint32_t sums = (1u << INFORMATION_SUMS) - 1;
    struct look    l    = { .tables = p->out->information & sums };
    struct visitor v    = { .expr = look_at, .context = &l };
    if (l.tables == 0 || p->out->information_text != NULL || p->stmt == NULL)
        return;
    visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
    if (p->routes->n_shards == 1 || (!l.found && !is_about_several(p)))
        p->out->information &= ~sums;
    else
        note_where(p);
}

/* --- SHOW ------------------------------------------------------------------- */

static const char table_status[] =
    "SELECT TABLE_NAME AS `Name`, ENGINE AS `Engine`, VERSION AS `Version`,"
    " ROW_FORMAT AS `Row_format`, TABLE_ROWS AS `Rows`, AVG_ROW_LENGTH AS `Avg_row_length`,"
    " DATA_LENGTH AS `Data_length`, MAX_DATA_LENGTH AS `Max_data_length`,"
    " INDEX_LENGTH AS `Index_length`, DATA_FREE AS `Data_free`,"
    " AUTO_INCREMENT AS `Auto_increment`, CREATE_TIME AS `Create_time`,"
    " UPDATE_TIME AS `Update_time`, CHECK_TIME AS `Check_time`,"
    " TABLE_COLLATION AS `Collation`, CHECKSUM AS `Checksum`,"
    " CREATE_OPTIONS AS `Create_options`, TABLE_COMMENT AS `Comment`,"
    " MAX_INDEX_LENGTH AS `Max_index_length`, TEMPORARY AS `Temporary`"
    " FROM information_schema.TABLES WHERE TABLE_SCHEMA = ";

static const char statistics[] =
    "SELECT TABLE_NAME AS `Table`, NON_UNIQUE AS `Non_unique`, INDEX_NAME AS `Key_name`,"
    " SEQ_IN_INDEX AS `Seq_in_index`, COLUMN_NAME AS `Column_name`, COLLATION AS `Collation`,"
    " CARDINALITY AS `Cardinality`, SUB_PART AS `Sub_part`, PACKED AS `Packed`,"
    " NULLABLE AS `Null`, INDEX_TYPE AS `Index_type`, COMMENT AS `Comment`,"
    " INDEX_COMMENT AS `Index_comment`, IGNORED AS `Ignored`"
    " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ";

/* A name as a literal that no sql_mode reads otherwise. */
static void
text_hex(struct text *t, struct span name)
{
    char *hex = make(t->p, 2 * name.len + 1);
    hex_lower(hex, name);
    text_const(t, "_utf8mb4 x'");
    text_span(t, (struct span){ (const uint8_t *)hex, 2 * name.len });
    text_const(t, "'");
}

static void
filter(struct text *t, const struct show *s, const char *name, const char *order)
{
    text_const(t, ") AS `SHOW`");
    if (s->like != NULL) {
        text_const(t, " WHERE ");
        text_const(t, name);
        text_const(t, " LIKE ");
        text_source(t, s->like->start, s->like->end);
    } else if (s->where != NULL) {
        text_const(t, " WHERE ");
        text_source(t, s->where->start, s->where->end);
    }
    text_const(t, order);
}

static void
finish(struct planner *p, struct text *t, uint32_t home, enum information_table table)
{
    p->out->information_text = text_keep(t);
    p->out->information      = 1u << table;
    to_home(p, home, "all shards are asked, and the answers added up");
    p->out->is_read = true;
}

static bool
show_tables(struct planner *p, const struct show *s)
{
    struct span schema = s->schema.ptr != NULL ? s->schema : p->context->schema;
    uint32_t    home   = home_of(p, schema, &p->home_database);
    struct text t, where;
    if (p->home_database == ROUTES_NONE || all_global(p->routes, p->home_database))
        return false;
    text_begin(&t, p);
    text_const(&t, "SELECT * FROM (");
    text_const(&t, table_status);
    text_hex(&t, schema);
    filter(&t, s, "`Name`", " ORDER BY `Name`");
    text_begin(&where, p);
    text_const(&where, "TABLE_SCHEMA = ");
    text_hex(&where, schema);
    p->out->information_where = text_keep(&where);
    finish(p, &t, home, INFORMATION_TABLES);
    return true;
}

static bool
show_index(struct planner *p, const struct show *s)
{
    struct span schema = s->schema.ptr != NULL         ? s->schema
                         : s->table.schema.ptr != NULL ? s->table.schema
                                                       : p->context->schema;
    uint32_t    home   = home_of(p, schema, &p->home_database);
    uint32_t    table  = p->home_database == ROUTES_NONE
                             ? ROUTES_NONE
                             : routes_table(p->routes, p->home_database, s->table.name);
    struct text t, where;
    if (table == ROUTES_NONE || p->routes->tables[table].kind != TABLE_SHARDED)
        return false;
    text_begin(&where, p);
    text_const(&where, "TABLE_SCHEMA = ");
    text_hex(&where, schema);
    text_const(&where, " AND TABLE_NAME = ");
    text_hex(&where, s->table.name);
    p->out->information_where = text_keep(&where);
    text_begin(&t, p);
    text_const(&t, "SELECT * FROM (");
    text_const(&t, statistics);
    text_hex(&t, schema);
    text_const(&t, " AND TABLE_NAME = ");
    text_hex(&t, s->table.name);
    filter(&t, s, "`Column_name`", "");
    finish(p, &t, home, INFORMATION_STATISTICS);
    return true;
}

static void
show_status(struct planner *p, const struct show *s)
{
    bool        global = s->scope == KW_GLOBAL;
    struct text t;
    text_begin(&t, p);
    text_const(&t, "SELECT * FROM (SELECT VARIABLE_NAME AS `Variable_name`, VARIABLE_VALUE AS "
                   "`Value` FROM information_schema.");
    text_const(&t, global ? "GLOBAL_STATUS" : "SESSION_STATUS");
    filter(&t, s, "`Variable_name`", " ORDER BY 1");
    p->out->information_where = NULL;
    finish(p, &t, home_of(p, p->context->schema, &p->home_database),
           global ? INFORMATION_GLOBAL_STATUS : INFORMATION_SESSION_STATUS);
}

bool
plan_show_information(struct planner *p)
{
    const struct show *s = p->stmt->show;
    if (p->routes->n_shards == 1)
        return false;
    if (s->kind == KW_INDEX)
        return show_index(p, s);
    if (s->kind != KW_STATUS)
        return false;
    if (s->object == KW_TABLE)
        return show_tables(p, s);
    if (s->object != NO_KEYWORD)
        return false;
    show_status(p, s);
    return true;
}
