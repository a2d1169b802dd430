/* job_view.c - see job_view.h. */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/cli.h"
#include "ctl/job_view.h"

enum { LINE_S = 5, BAR = 20 };

bool
job_goes_on(const json_t *record)
{
    const char *state = model_text(record, "state");

    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
}

static double
real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static long long
number_of(const json_t *object, const char *key)
{
    return (long long)model_number(object, key);
}

/* "12 s", "3 min", "2 h" */
static const char *
time_text(double s, char out[32])
{
    if (s < 100)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 6000)
        snprintf(out, 32, "%.0f min", s / 60);
    else
        snprintf(out, 32, "%.1f h", s / 3600);
    return out;
}

static bool
is_in(const json_t *record, const char *phase)
{
    return job_goes_on(record) && strcmp(model_text(record, "phase"), phase) == 0;
}

/* What it is at: its phase while it runs, else its state. */
static const char *
now_at(const json_t *record)
{
    const char *phase = model_text(record, "phase");

    return job_goes_on(record) && strcmp(model_text(record, "state"), "paused") != 0 && phase[0]
               ? phase : model_text(record, "state");
}

const char *
job_trouble(const json_t *record)
{
    const json_t *last = json_object_get(record, "last_cutover");

    if (model_text(record, "problem")[0])
        return model_text(record, "problem");
    if (!job_goes_on(record) || is_in(record, "reverse"))
        return model_text(record, "error");
    return is_in(record, "follow") ? model_text(last, "error") : "";
}

/* --- a line ------------------------------------------------------------------------- */

static void
copy_line(const json_t *p, struct buf *out)
{
    char text[32];

    buf_printf(out, "  %lld/%lld tables  %lld/~%lld rows  %.0f rows/s", number_of(p, "tables_done"),
               number_of(p, "tables"), number_of(p, "rows"), number_of(p, "rows_total"),
               real_of(p, "rows_per_s"));
    if (json_is_number(json_object_get(p, "left_s")))
        buf_printf(out, "  %s left", time_text(real_of(p, "left_s"), text));
    if (model_text(p, "slowed")[0])
        buf_printf(out, "  [%s]", model_text(p, "slowed"));
}

static void
follow_line(const json_t *p, struct buf *out)
{
    char text[32];

    buf_printf(out, "  %lld rows applied  lag %.1f s", number_of(p, "applied"),
               real_of(p, "lag_s"));
    if (number_of(p, "window_s") > 0)
        buf_printf(out, "  %s until its window opens",
                   time_text((double)number_of(p, "window_s"), text));
}

void
job_line(const json_t *record, struct buf *out)
{
    const json_t *p = json_object_get(record, "progress");

    buf_printf(out, "job %lld  %s", number_of(record, "number"), now_at(record));
    if (is_in(record, "copy") || is_in(record, "prepare"))
        copy_line(p, out);
    else if (is_in(record, "follow") || is_in(record, "reverse"))
        follow_line(p, out);
    else if (job_goes_on(record) && json_object_get(p, "removed"))
        buf_printf(out, "  %lld rows removed", number_of(p, "removed"));
    if (job_trouble(record)[0])
        buf_printf(out, job_goes_on(record) ? "  (%s%s)" : ": %s%s",
                   is_in(record, "follow") && !model_text(record, "problem")[0]
                       ? "the last try to switch: " : "", job_trouble(record));
}

/* --- a block ------------------------------------------------------------------------ */

static void
append_bar(struct buf *out, double part)
{
    int full = (int)(part * BAR);

    buf_append_text(out, "  [");
    for (int i = 0; i < BAR; i++)
        buf_append_byte(out, i < full ? '#' : '-');
    buf_printf(out, "]  %.0f %%", part * 100);
}

static void
copy_block(const json_t *p, struct buf *out)
{
    double rows = real_of(p, "rows"), total = real_of(p, "rows_total");
    char   text[32];

    buf_printf(out, "  tables   %lld/%lld%s%s\n", number_of(p, "tables_done"),
               number_of(p, "tables"), model_text(p, "table")[0] ? ", " : "",
               model_text(p, "table"));
    buf_printf(out, "  rows     %.0f of ~%.0f", rows, total);
    if (total > 0)
        append_bar(out, rows < total ? rows / total : 1);
    buf_printf(out, "  %.0f rows/s", real_of(p, "rows_per_s"));
    if (json_is_number(json_object_get(p, "left_s")))
        buf_printf(out, ", %s left", time_text(real_of(p, "left_s"), text));
    buf_printf(out, "\n  sent     %lld rows, %s\n", number_of(p, "sent"),
               cli_bytes((int64_t)number_of(p, "bytes"), text));
    if (model_text(p, "slowed")[0])
        buf_printf(out, "  slowed   %s\n", model_text(p, "slowed"));
}

void
job_block(const json_t *record, struct buf *out)
{
    const json_t *p = json_object_get(record, "progress");
    char          text[32];

    buf_printf(out, "job %lld  %s  %s\n", number_of(record, "number"), model_text(record, "what"),
               now_at(record));
    if (is_in(record, "copy"))
        copy_block(p, out);
    if (is_in(record, "copy") || is_in(record, "follow") || is_in(record, "reverse"))
        buf_printf(out, "  applied  %lld rows of %lld transactions, lag %.1f s\n",
                   number_of(p, "applied"), number_of(p, "transactions"), real_of(p, "lag_s"));
    if (is_in(record, "follow") && number_of(p, "window_s") > 0)
        buf_printf(out, "  window   opens in %s\n",
                   time_text((double)number_of(p, "window_s"), text));
    if (job_goes_on(record) && json_object_get(p, "removed"))
        buf_printf(out, "  removed  %lld rows\n", number_of(p, "removed"));
    if (job_trouble(record)[0])
        buf_printf(out, "  %s  %s\n", job_goes_on(record) ? "waits  " : "error  ",
                   job_trouble(record));
}

/* --- printing ----------------------------------------------------------------------- */

/* Back to the first line of the block before; lines that are longer than the terminal is wide
 * would break that: they are cut there (?7l). */
static void
draw(struct job_view *v, const json_t *record)
{
    struct buf block = { 0 };

    job_block(record, &block);
    if (v->lines > 0)
        printf("\033[%uA", v->lines);
    printf("\r\033[J\033[?7l%s\033[?7h", buf_cstr(&block));
    v->lines = 0;
    for (const char *at = buf_cstr(&block); *at; at++)
        v->lines += *at == '\n';
    buf_fini(&block);
}

void
job_view_show(struct job_view *v, const json_t *record)
{
    struct buf  line  = { 0 };
    time_t      now   = time(NULL);
    const char *phase = model_text(record, "phase");

    if (v->tty) {
        draw(v, record);
    } else if (strcmp(v->phase, phase) != 0 || !job_goes_on(record) || now - v->told >= LINE_S) {
        job_line(record, &line);
        printf("%s\n", buf_cstr(&line));
        v->told = now;
    }
    fflush(stdout);
    snprintf(v->phase, sizeof(v->phase), "%s", phase);
    buf_fini(&line);
}

static void
print_windows(const json_t *record)
{
    const json_t *list = json_object_get(json_object_get(record, "options"), "windows");

    for (size_t i = 0; i < json_array_size(list); i++)
        printf("%-16s %s\n", "window", json_string_value(json_array_get(list, i)));
}

void
job_print(const json_t *record)
{
    const json_t *verified = json_object_get(record, "verified");
    const json_t *last     = json_object_get(record, "last_cutover");

    cli_members(record, "number kind what who state phase database table problem error");
    cli_members(json_object_get(record, "options"),
                "cutover max_pause_ms cut_transactions reverse verify throttle compress");
    print_windows(record);
    cli_members(json_object_get(record, "progress"),
                "tables tables_done table rows rows_total rows_per_s left_s slowed sent bytes "
                "lag_s transactions applied stashed removed window_s");
    if (verified)
        printf("%-16s %lld rows in %.1f s: %lld missing, %lld extra, %lld different\n",
               "verified", number_of(verified, "rows"), real_of(verified, "seconds"),
               number_of(verified, "missing"), number_of(verified, "extra"),
               number_of(verified, "different"));
    if (last)
        printf("%-16s %.1f ms%s%s\n", "last switch", real_of(last, "parked_ms"),
               model_text(last, "error")[0] ? ": " : "", model_text(last, "error"));
}
