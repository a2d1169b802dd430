/* audit_line.c - see audit_line.h. */
#include "ctl/catalog/audit_line.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/hex.h"
#include "core/base/memory.h"

#define SEQ_TEXT  "{\"seq\":"
#define PREV_TEXT ",\"prev\":\""
#define HASH_TEXT ",\"hash\":\""

enum {
    PREV_LEN   = sizeof(PREV_TEXT) - 1 + AUDIT_HASH + 1, /* with the quote behind it */
    HASH_LEN   = sizeof(HASH_TEXT) - 1 + AUDIT_HASH + 2, /* and with the brace */
    VALUE_MAX  = 4096,      /* a longer member is told by its hash */
    OBJECT_MAX = 64 << 10,  /* and so is an object of many members */
};

const struct audit_link audit_none = {
    0, "0000000000000000000000000000000000000000000000000000000000000000"
};

void
audit_hash(struct span bytes, char out[AUDIT_HASH + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned      len = 0;

    if (EVP_Digest(bytes.ptr, bytes.len, digest, &len, EVP_sha256(), NULL) != 1 ||
        len != AUDIT_HASH / 2)
        abort(); /* without SHA-256 nothing that is recorded could be proven */
    hex_lower(out, (struct span){ digest, len });
}

/* --- making ------------------------------------------------------------------------- */

static void
set_text(json_t *line, const char *key, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;

    if (text && !value)
        value = json_string("(not UTF-8)");
    if (value)
        json_object_set_new(line, key, value);
}

static void
set_object(json_t *line, const char *key, const json_t *object)
{
    if (object)
        json_object_set(line, key, (json_t *)(uintptr_t)object);
}

static json_t *
object_of(const struct audit_event *e, int64_t seq)
{
    json_t *line = json_object();

    json_object_set_new(line, "seq", json_integer((json_int_t)seq));
    json_object_set_new(line, "time", json_real(e->time));
    set_text(line, "who", e->who);
    set_text(line, "action", e->action);
    set_text(line, "kind", e->kind);
    set_text(line, "name", e->name);
    if (e->version > 0)
        json_object_set_new(line, "version", json_integer((json_int_t)e->version));
    set_object(line, "before", e->before);
    set_object(line, "after", e->after);
    set_text(line, "result", e->result);
    set_text(line, "request", e->request);
    return line;
}

char *
audit_line_make(const struct audit_event *event, struct audit_link *head)
{
    json_t    *object = object_of(event, head->seq + 1);
    char      *text   = json_dumps(object, JSON_COMPACT), *out;
    struct buf line   = { 0 };
    char       hash[AUDIT_HASH + 1];

    if (!text) { /* an object that is not UTF-8: who and what are told at least */
        json_object_del(object, "before");
        json_object_del(object, "after");
        text = json_dumps(object, JSON_COMPACT);
    }
    buf_append(&line, text, strlen(text) - 1); /* but for the brace */
    buf_printf(&line, PREV_TEXT "%s\"", head->hash);
    audit_hash(buf_unread(&line), hash);
    buf_printf(&line, HASH_TEXT "%s\"}", hash);
    out = mem_strdup(buf_cstr(&line));
    buf_fini(&line);
    free(text);
    json_decref(object);
    head->seq++;
    memcpy(head->hash, hash, sizeof(hash));
    return out;
}

/* --- reading ------------------------------------------------------------------------ */

static bool
take_hash(const char *at, char out[AUDIT_HASH + 1])
{
    for (int i = 0; i < AUDIT_HASH; i++)
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f')))
            return false;
    memcpy(out, at, AUDIT_HASH);
    out[AUDIT_HASH] = '\0';
    return true;
}

/* The number behind {"seq": */
static bool
take_seq(struct span line, int64_t *out)
{
    size_t  at = sizeof(SEQ_TEXT) - 1;
    int64_t n  = 0;

    if (line.len < at || memcmp(line.ptr, SEQ_TEXT, at) != 0)
        return false;
    for (; at < line.len && line.ptr[at] >= '0' && line.ptr[at] <= '9'; at++) {
        if (n > INT64_MAX / 10 - 10)
            return false;
        n = 10 * n + (line.ptr[at] - '0');
    }
    *out = n;
    return n > 0 && at < line.len && line.ptr[at] == ',';
}

enum audit_word
audit_line_read(struct span line, struct audit_link *link, char prev[AUDIT_HASH + 1])
{
    char        own[AUDIT_HASH + 1];
    int64_t     seq;
    const char *end, *at;

    if (line.len < PREV_LEN + HASH_LEN || !take_seq(line, &seq))
        return AUDIT_NO_LINE;
    end = (const char *)line.ptr + line.len;
    at  = end - HASH_LEN;
    if (memcmp(at, HASH_TEXT, sizeof(HASH_TEXT) - 1) != 0 || end[-2] != '"' || end[-1] != '}' ||
        memcmp(at - PREV_LEN, PREV_TEXT, sizeof(PREV_TEXT) - 1) != 0 || at[-1] != '"' ||
        !take_hash(at - PREV_LEN + sizeof(PREV_TEXT) - 1, prev) ||
        !take_hash(at + sizeof(HASH_TEXT) - 1, link->hash))
        return AUDIT_NO_LINE;
    link->seq = seq;
    audit_hash((struct span){ line.ptr, line.len - HASH_LEN }, own);
    return strcmp(own, link->hash) == 0 ? AUDIT_GOOD : AUDIT_CHANGED;
}

/* --- what changed ------------------------------------------------------------------- */

static bool
is_hidden(const char *key)
{
    static const char *const hidden[] = { "secret", "verifier", "old_verifier", "password",
                                          "service_secret", "admin_password", "undo" };

    for (size_t i = 0; i < countof(hidden); i++)
        if (strcmp(key, hidden[i]) == 0)
            return true;
    return false;
}

/* To be owned. */
static json_t *
shown(json_t *value, size_t max)
{
    char   *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    size_t  len  = text ? strlen(text) : 0;
    char    hash[AUDIT_HASH + 1];
    json_t *out = NULL;

    if (len > max) {
        audit_hash((struct span){ (const uint8_t *)text, len }, hash);
        out = json_pack("{s:I, s:s}", "bytes", (json_int_t)len, "sha256", hash);
    }
    free(text);
    return out ? out : json_incref(value);
}

/* What `mine` has that `other` does not have as well. */
static json_t *
own_part(const json_t *mine, const json_t *other)
{
    json_t     *out = json_object(), *hidden = json_array(), *value, *all;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)mine, key, value) {
        if (other && json_equal(value, json_object_get(other, key)))
            continue;
        if (is_hidden(key))
            json_array_append_new(hidden, json_string(key));
        else
            json_object_set_new(out, key, shown(value, VALUE_MAX));
    }
    if (json_array_size(hidden) > 0)
        json_object_set(out, "hidden", hidden);
    json_decref(hidden);
    all = shown(out, OBJECT_MAX);
    json_decref(out);
    return all;
}

void
audit_differences(const json_t *old, const json_t *new, json_t **before, json_t **after)
{
    *before = old ? own_part(old, new) : NULL;
    *after  = new ? own_part(new, old) : NULL;
}
