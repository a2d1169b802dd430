/* run_options.c - what people want of a move, checked. */
#include "ctl/catalog/model.h"
#include "ctl/move/run_step.h"
#include "ctl/move/window.h"

enum { PAUSE_MS = 200, PAUSE_MIN_MS = 10, PAUSE_MAX_MS = 60000, WINDOWS_MAX = 32 };

static bool
flag(const json_t *request, const char *key, bool fallback)
{
    const json_t *value = json_object_get(request, key);

    return value ? json_is_true(value) : fallback;
}

static bool
check_cutover(const json_t *request, int64_t pause, struct sql_error *error)
{
    const char *cutover = model_text(request, "cutover");

    if (cutover[0] && strcmp(cutover, "auto") != 0 && strcmp(cutover, "manual") != 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a cutover is auto or manual");
    return (pause >= PAUSE_MIN_MS && pause <= PAUSE_MAX_MS) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the longest pause is %d to %d ms",
                         PAUSE_MIN_MS, PAUSE_MAX_MS);
}

static bool
check_windows(const json_t *request, struct sql_error *error)
{
    const json_t *list = json_object_get(request, "windows");
    struct window ignored;

    if (json_array_size(list) > WINDOWS_MAX)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: these are more windows than "
                             "there can be, %d", WINDOWS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!window_parse(text ? text : "", &ignored, error))
            return false;
    }
    return true;
}

json_t *
run_options(const json_t *request, struct sql_error *error)
{
    const char     *cutover = model_text(request, "cutover");
    int64_t         pause   = json_object_get(request, "max_pause_ms")
                                  ? model_number(request, "max_pause_ms") : PAUSE_MS;
    json_t         *windows = json_object_get(request, "windows");
    const char     *on      = model_text(request, "verify_on");
    struct throttle how;
    char            text[THROTTLE_TEXT_MAX];

    if (!check_cutover(request, pause, error) || !check_windows(request, error) ||
        !throttle_parse(model_text(request, "throttle"), &how, error))
        return NULL;
    if (on[0] && strcmp(on, "replicas") != 0 && strcmp(on, "primary") != 0) {
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: rows are compared on replicas or on the "
                      "primary");
        return NULL;
    }
    return json_pack("{s:s, s:I, s:I, s:b, s:b, s:b, s:s, s:o, s:b, s:s}", "cutover",
                     cutover[0] ? cutover : "auto", "max_pause_ms", (json_int_t)pause,
                     "max_wait_s", (json_int_t)model_number(request, "max_wait_s"),
                     "cut_transactions", flag(request, "cut_transactions", false), "reverse",
                     flag(request, "reverse", true), "verify", flag(request, "verify", true),
                     "throttle", throttle_print(&how, text), "windows",
                     json_is_array(windows) ? json_copy(windows) : json_array(), "compress",
                     flag(request, "compress", false), "verify_on", on[0] ? on : "replicas");
}
