/* conf_text.c - the settings explained: --help, the man page, an example file. */
#include "core/conf/conf_table.h"

#define WIDTH 80

/* `text` in lines of at most WIDTH columns, each after `margin`. */
static void
wrap(struct buf *out, const char *margin, const char *text)
{
    size_t column = 0;

    while (*text != 0) {
        size_t word = strcspn(text, " ");
        if (column != 0 && column + 1 + word > WIDTH) {
            buf_append_byte(out, '\n');
            column = 0;
        }
        buf_append_text(out, column == 0 ? margin : " ");
        buf_append(out, text, word);
        column += word + (column == 0 ? strlen(margin) : 1);
        text += word;
        text += strspn(text, " ");
    }
    buf_append_byte(out, '\n');
}

static bool
in_quotes(const struct conf_setting *s)
{
    bool is_size = strcmp(s->unit, "bytes") == 0 && strcmp(s->initial, "0") != 0;

    return s->type != CONF_BOOL && (s->type != CONF_INT || is_size);
}

static void
append_initial(struct buf *out, const struct conf_setting *s, const char *quote)
{
    quote = in_quotes(s) ? quote : "";

    buf_printf(out, "%s%s%s", quote, s->initial, quote);
}

void
conf_help(struct buf *out)
{
    for (size_t i = 0; i < conf_n_settings; i++) {
        const struct conf_setting *s = &conf_settings[i];

        if (conf_heading(s) != NULL)
            buf_printf(out, "%s%s\n", i == 0 ? "" : "\n", conf_heading(s));
        buf_printf(out, "  %s = ", s->name);
        append_initial(out, s, "\"");
        buf_printf(out, "%s\n", s->when == CONF_RELOAD ? "  (SIGHUP)" : "");
        wrap(out, "      ", s->help);
        if (s->type == CONF_INT || s->type == CONF_ENUM) {
            struct buf allowed = { 0 };
            conf_allowed(s, &allowed);
            buf_append_byte(&allowed, '.');
            wrap(out, "      Is ", buf_cstr(&allowed));
            buf_fini(&allowed);
        }
    }
}

/* A sentence begins on a line of its own, as mdoc wants it; no word of ours begins with
 * a dot, which would make its line a macro. */
static void
man_sentences(struct buf *out, const char *text)
{
    size_t column = 0;

    while (*text != 0) {
        size_t word = strcspn(text, " ");
        if (column + 1 + word > WIDTH || (column != 0 && text[-2] == '.')) {
            buf_append_byte(out, '\n');
            column = 0;
        }
        buf_printf(out, "%s%.*s", column != 0 ? " " : "", (int)word, text);
        column += word + (column != 0);
        text += word;
        text += strspn(text, " ");
    }
    buf_append_byte(out, '\n');
}

void
conf_man(struct buf *out)
{
    for (size_t i = 0; i < conf_n_settings; i++) {
        const struct conf_setting *s       = &conf_settings[i];
        struct buf                 allowed = { 0 };

        if (conf_heading(s) != NULL)
            buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", i == 0 ? "" : ".El\n",
                       conf_heading(s));
        buf_printf(out, ".It Ic %s No = ", s->name);
        append_initial(out, s, "\\(dq");
        buf_append_byte(out, '\n');
        man_sentences(out, s->help);
        buf_append_text(&allowed, "Allowed: ");
        conf_allowed(s, &allowed);
        buf_append_byte(&allowed, '.');
        man_sentences(out, buf_cstr(&allowed));
        buf_fini(&allowed);
        if (s->when == CONF_RELOAD)
            buf_append_text(out, "Can be changed with\n.Dv SIGHUP .\n");
    }
    buf_append_text(out, ".El\n");
}

void
conf_example(struct buf *out)
{
    buf_append_text(out, "# The settings of shardd, see shardd.conf(5). Those behind a # are the "
                         "defaults.\n");
    for (size_t i = 0; i < conf_n_settings; i++) {
        const struct conf_setting *s = &conf_settings[i];

        if (conf_heading(s) != NULL)
            buf_printf(out, "\n### %s\n", conf_heading(s));
        buf_append_byte(out, '\n');
        wrap(out, "# ", s->help);
        buf_printf(out, "#%s = ", s->name);
        append_initial(out, s, "\"");
        buf_append_text(out, ";\n");
    }
}
