/* fence.c - see fence.h. */
#include "ctl/provision/fence.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"

static const char move_object[] = "move";

/* --- the catalog --- */

static void
put_list(json_t *fenced, const char *key, const json_t *list)
{
    if (json_array_size(list) > 0)
        json_object_set_new(fenced, key, json_deep_copy(list));
}

static void
put_object(struct catalog_change *change, json_t *move)
{
    if (json_object_size(move) > 0)
        catalog_put(change, CATALOG_META, move_object, move, CATALOG_ANY);
    else
        catalog_remove(change, CATALOG_META, move_object, CATALOG_ANY);
}

void
fence_put(struct catalog_change *change, const struct fence *f)
{
    json_t *move   = catalog_read(change, CATALOG_META, move_object, NULL);
    json_t *fenced = json_object();

    if (move == NULL)
        move = json_object();
    json_object_del(move, "fenced");
    json_object_del(move, "cut");
    json_object_del(move, "eases");
    if (f != NULL) {
        put_list(fenced, "ranges", f->ranges);
        put_list(fenced, "shards", f->shards);
        put_list(fenced, "tables", f->tables);
        json_object_set(move, "fenced", fenced);
        if (f->cut)
            json_object_set_new(move, "cut", json_true());
    }
    put_object(change, move);
    json_decref(fenced);
    json_decref(move);
}

/* --- over another one --- */

void
fence_put_over(struct catalog_change *change, const struct fence *f)
{
    json_t     *move  = catalog_read(change, CATALOG_META, move_object, NULL), *under, *mine, *list;
    const char *key;

    under = json_object_get(move, "under") ? json_incref(json_object_get(move, "under"))
                                           : json_object();
    if (!json_object_get(move, "under")) {
        if (json_object_get(move, "fenced"))
            json_object_set(under, "fenced", json_object_get(move, "fenced"));
        if (json_object_get(move, "cut"))
            json_object_set(under, "cut", json_object_get(move, "cut"));
    }
    json_decref(move);
    fence_put(change, f);
    move = catalog_read(change, CATALOG_META, move_object, NULL);
    mine = json_object_get(move, "fenced");
    json_object_foreach(json_object_get(under, "fenced"), key, list) {
        if (!json_object_get(mine, key))
            json_object_set_new(mine, key, json_array());
        json_array_extend(json_object_get(mine, key), list);
    }
    json_object_set_new(move, "under", under);
    put_object(change, move);
    json_decref(move);
}

void
fence_put_back(struct catalog_change *change)
{
    json_t *move = catalog_read(change, CATALOG_META, move_object, NULL), *under;

    if (!move)
        return;
    under = json_incref(json_object_get(move, "under"));
    json_object_del(move, "under");
    json_object_del(move, "fenced");
    json_object_del(move, "cut");
    json_object_update(move, under);
    put_object(change, move);
    json_decref(under);
    json_decref(move);
}

/* --- the catalog, at once --- */

static bool
write_fence(struct cluster *c, const struct fence *f, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");

    fence_put(change, f);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0;
}

bool
fence_stands(struct cluster *c)
{
    json_t *move = catalog_get(c->catalog, CATALOG_META, move_object, NULL);
    bool    is   = json_object_get(move, "fenced") || json_object_get(move, "eases");

    json_decref(move);
    return is;
}

bool
fence_ease(struct cluster *c, const struct fence *f, uint32_t most, uint64_t wait_ms,
           struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *move   = catalog_read(change, CATALOG_META, move_object, NULL);
    bool                   all;

    if (!move)
        move = json_object();
    json_object_set_new(move, "eases", json_pack("{s:O, s:I}", "shards", (json_t *)(uintptr_t)
                                                 f->shards, "most", (json_int_t)most));
    put_object(change, move);
    json_decref(move);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0 &&
           publish_now(c->publisher, (int)wait_ms, &all, err);
}

/* --- up and down --- */

static int
left_ms(uint64_t until_us)
{
    uint64_t now = clock_us();

    return now < until_us ? (int)((until_us - now + 999) / 1000) : 0;
}

/* FENCE_UP, or why not. */
static enum fence_end
put_up(struct cluster *c, const struct fence *f, uint64_t wait_ms, uint64_t began_us,
       struct fence_times *times, struct err *err)
{
    uint64_t until_us;
    bool     all = false;

    if (!write_fence(c, f, err))
        return FENCE_FAILED;
    times->written_us = clock_us();
    until_us          = times->written_us + wait_ms * 1000;
    if (!publish_now(c->publisher, left_ms(until_us), &all, err))
        return FENCE_FAILED;
    if (!all) {
        err_set(err, "not every worker took over the fence in time");
        return FENCE_LATE;
    }
    times->acknowledged_us = clock_us() - began_us;
    if (!publish_drained(c->publisher, left_ms(until_us))) {
        err_set(err, "statements or transactions of before did not end in time");
        return FENCE_LATE;
    }
    times->drained_us = clock_us() - began_us;
    return FENCE_UP;
}

enum fence_end
fence_raise(struct cluster *c, const struct fence *f, uint64_t wait_ms, struct fence_times *times,
            struct err *err)
{
    uint64_t           began = clock_us();
    uint64_t           most  = wait_ms < INT32_MAX ? wait_ms : INT32_MAX;
    struct fence_times took  = { 0 };
    struct err         ignored;
    enum fence_end     end = put_up(c, f, most, began, &took, err);

    if (times != NULL)
        *times = took;
    if (end == FENCE_UP) {
        log_info("fence: up; acknowledged after %llu us, drained after %llu us",
                 (unsigned long long)took.acknowledged_us, (unsigned long long)took.drained_us);
        return end;
    }
    log_warn("fence: down again after %llu us: %s", (unsigned long long)(clock_us() - began),
             err->text);
    /* The deadline is over for waiting, not for making it undone. */
    if (!fence_lower(c, 0, &ignored))
        end = FENCE_FAILED;
    return end;
}

bool
fence_back(struct cluster *c, uint64_t wait_ms, struct err *err)
{
    json_t                *move = catalog_get(c->catalog, CATALOG_META, move_object, NULL);
    bool                   over = json_object_get(move, "under") != NULL, all;
    struct catalog_change *change;

    json_decref(move);
    if (!over)
        return true;
    change = catalog_begin(c->catalog, "controller");
    fence_put_back(change);
    cluster_bump(c, change, "generation");
    return catalog_commit(change, err) == 0 &&
           publish_now(c->publisher, (int)wait_ms, &all, err);
}

bool
fence_lower(struct cluster *c, uint64_t wait_ms, struct err *err)
{
    uint64_t began = clock_us();
    bool     all   = false;

    if (fence_stands(c) && !write_fence(c, NULL, err)) {
        log_error("fence: it cannot be taken down: %s", err->text);
        return false;
    }
    if (!publish_now(c->publisher, left_ms(began + wait_ms * 1000), &all, err)) {
        log_error("fence: that it is down cannot be published: %s", err->text);
        return false;
    }
    log_info("fence: down; %s after %llu us", all ? "acknowledged" : "published",
             (unsigned long long)(clock_us() - began));
    return true;
}
