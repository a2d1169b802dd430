/* conf_table.h - a row per setting; private to core/conf. */
#ifndef CORE_CONF_CONF_TABLE_H
#define CORE_CONF_CONF_TABLE_H

#include "core/base/err.h"
#include "core/conf/conf.h"

enum conf_type {
    CONF_BOOL,
    CONF_INT,     /* the field is uint32_t or uint64_t: `size` tells */
    CONF_ENUM,    /* the field is an enum; `choices` in its order, with | in between */
    CONF_NAME,    /* [a-z0-9_-]+ */
    CONF_TEXT,    /* printable ASCII, not empty */
    CONF_PATH,    /* absolute */
    CONF_ADDRESS, /* see conf_sockaddr(); may be empty when `min` is 0 */
    CONF_NETWORKS, /* see conf_networks_ok() */
};

enum conf_when { CONF_RELOAD, CONF_RESTART };

struct conf_setting {
    const char    *name;
    enum conf_type type;
    size_t         offset, size; /* of the field in struct conf */
    const char    *initial;      /* the default, as one would write it, without quotes */
    uint64_t       min, max;     /* CONF_INT */
    const char    *unit;         /* CONF_INT: "bytes", "s", ...; else "" */
    const char    *choices;      /* CONF_ENUM */
    enum conf_when when;
    const char    *help;         /* whole sentences; no markup */
};

/* A heading stands before the first setting of each section. */
struct conf_section {
    const char *first; /* name of a setting */
    const char *title;
};

extern const struct conf_setting conf_settings[];
extern const size_t              conf_n_settings;
extern const struct conf_section conf_sections[];
extern const size_t              conf_n_sections;

/* The heading before `setting`, or NULL. */
const char *conf_heading(const struct conf_setting *setting);

/* Text, as one would write it in the file, to the field of `conf`. Returns
 * false, with a sentence that says what is allowed, when it is not. */
bool conf_parse(const struct conf_setting *s, const char *text, struct conf *conf,
                struct err *err) must_check;

/* The field's value as text; strings without quotes. */
void conf_print(const struct conf_setting *s, const struct conf *conf, struct buf *out);

/* What values are allowed, for people: "an integer from 1 to 65535", ... */
void conf_allowed(const struct conf_setting *s, struct buf *out);

#endif
