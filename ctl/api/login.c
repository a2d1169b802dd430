/* login.c - peers of the socket, bearers of tokens, and those who try too often. */
#include <arpa/inet.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/api/jwt.h"
#include "ctl/api/login.h"
#include "ctl/catalog/model.h"

enum { GROUPS_MAX = 256, ROOM = 4096 };

/* --- failed logins --------------------------------------------------------------- */

void
failed_init(struct failed *f)
{
    *f = (struct failed){ .row = { { .n = 0 } } };
    pthread_mutex_init(&f->lock, NULL);
}

void
failed_fini(struct failed *f)
{
    pthread_mutex_destroy(&f->lock);
}

/* By whom failures are counted: "2001:db8:1:2::/64", "192.0.2.1". */
void
failed_key(const char *address, char out[48])
{
    struct in6_addr a;

    snprintf(out, 48, "%.47s", address);
    if (inet_pton(AF_INET6, address, &a) != 1 || IN6_IS_ADDR_LOOPBACK(&a))
        return;
    if (IN6_IS_ADDR_V4MAPPED(&a)) {
        inet_ntop(AF_INET, &a.s6_addr[12], out, 48);
        return;
    }
    memset(&a.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &a, out, 44);
    strcat(out, "/64");
}

/* The row of an address, or with `make` one for it. With the lock held; -1: there is none. */
static int
row_of(struct failed *f, const char *address, bool make)
{
    int oldest = 0;

    for (int i = 0; i < FAILED_ADDRESSES; i++) {
        if (f->row[i].n > 0 && strcmp(f->row[i].address, address) == 0)
            return i;
        if (f->row[i].n == 0 || (f->row[oldest].n > 0 &&
                                 f->row[i].since_ms < f->row[oldest].since_ms))
            oldest = f->row[oldest].n == 0 ? oldest : i;
    }
    if (!make)
        return -1;
    snprintf(f->row[oldest].address, sizeof(f->row[oldest].address), "%s", address);
    f->row[oldest].n = 0;
    return oldest;
}

unsigned
failed_wait_s(struct failed *f, const char *address, uint64_t now_ms)
{
    unsigned wait = 0;

    pthread_mutex_lock(&f->lock);
    int i = row_of(f, address, false);
    if (i >= 0 && now_ms - f->row[i].since_ms >= FAILED_WINDOW_S * 1000)
        f->row[i].n = 0;
    else if (i >= 0 && f->row[i].n >= FAILED_MAX)
        wait = FAILED_WINDOW_S - (unsigned)((now_ms - f->row[i].since_ms) / 1000);
    pthread_mutex_unlock(&f->lock);
    return wait;
}

bool
failed_note(struct failed *f, const char *address, uint64_t now_ms)
{
    bool out = false;

    pthread_mutex_lock(&f->lock);
    int i = row_of(f, address, true);
    if (f->row[i].n++ == 0)
        f->row[i].since_ms = now_ms;
    if (f->row[i].n == FAILED_MAX) {
        if (now_ms - f->noted_ms >= FAILED_WINDOW_S * 1000) {
            f->noted_ms = now_ms;
            f->noted    = 0;
        }
        out = f->noted++ < FAILED_NOTED;
    }
    pthread_mutex_unlock(&f->lock);
    return out;
}

/* --- the socket -------------------------------------------------------------------- */

static bool
is_member(const struct passwd *account, gid_t own, gid_t group)
{
    gid_t list[GROUPS_MAX];
    int   n = GROUPS_MAX;

    if (own == group)
        return true;
    if (!account || getgrouplist(account->pw_name, account->pw_gid, list, &n) < 0)
        return false;
    for (int i = 0; i < n; i++)
        if (list[i] == group)
            return true;
    return false;
}

bool
login_peer(struct request *r, int fd, gid_t group, enum role role)
{
    struct ucred  peer = { .uid = (uid_t)-1 };
    socklen_t     len  = sizeof(peer);
    struct passwd entry, *found = NULL;
    char          room[ROOM];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    if (getpwuid_r(peer.uid, &entry, room, sizeof(room), &found) == 0 && found)
        snprintf(r->who, sizeof(r->who), "unix:%.100s", found->pw_name);
    else
        snprintf(r->who, sizeof(r->who), "unix:%lu", (unsigned long)peer.uid);
    r->role = role;
    if (peer.uid == 0 || peer.uid == geteuid())
        r->role = ROLE_OWNER;
    else if (group == (gid_t)-1 || !is_member(found, peer.gid, group))
        return false;
    return true;
}

/* --- tokens ------------------------------------------------------------------------ */

/* Ours must be on record, so that a lost one can be revoked; others' only must not be revoked. */
static bool
is_good(struct request *r, const struct jwt_claims *claims, const json_t *keys, struct err *err)
{
    const json_t *key  = json_object_get(keys, claims->kid);
    bool          ours = model_text(key, "secret")[0] != '\0';
    json_t       *kept = claims->id[0] ? catalog_get(r->cluster->catalog, CATALOG_TOKEN,
                                                     claims->id, NULL) : NULL;
    bool          good = kept ? !model_flag(kept, "revoked") : !ours;

    json_decref(kept);
    return good || err_set(err, "the token is revoked; get a new one ('shardctl token issue')");
}

static bool
take_token(struct request *r, const char *token, struct err *err)
{
    json_t           *keys = catalog_all(r->cluster->catalog, CATALOG_KEY);
    struct jwt_claims claims;
    bool ok = jwt_check(token, keys, (int64_t)time(NULL), &claims, err) &&
              is_good(r, &claims, keys, err);

    json_decref(keys);
    if (!ok)
        return false;
    r->role = claims.role;
    snprintf(r->who, sizeof(r->who), "token:%s", claims.subject);
    return true;
}

static void
tell_locked(struct request *r, const char *from)
{
    char       who[64];
    struct err err;

    snprintf(who, sizeof(who), "tcp:%s", from);
    log_warn("%d logins from %s have failed; it is refused for a while", FAILED_MAX, from);
    if (!catalog_note(r->cluster->catalog, who, "log in", "", "429: too many logins have failed",
                      &err))
        log_error("that is not in the audit: %s", err.text);
}

unsigned
login_token(struct request *r, const char *authorization, const char *address,
            struct failed *failed)
{
    uint64_t   now = clock_us() / 1000;
    char       from[48];
    unsigned   wait;
    struct err err;

    failed_key(address, from);
    wait = failed_wait_s(failed, from, now);
    if (wait > 0) {
        request_header(r, "Retry-After", "%u", wait);
        return request_refuse(r, 429, "too many logins from this address have failed; try again "
                              "in %u s", wait);
    }
    request_header(r, "WWW-Authenticate", "Bearer realm=\"shardd\"");
    if (!authorization)
        return request_refuse(r, 401, "say who you are: Authorization: Bearer TOKEN (see "
                              "'shardctl token issue')");
    if (strncasecmp(authorization, "Bearer ", 7) == 0 &&
        take_token(r, authorization + 7, &err)) {
        json_decref(r->headers);
        r->headers = NULL;
        return 0;
    }
    if (failed_note(failed, from, now))
        tell_locked(r, from);
    return strncasecmp(authorization, "Bearer ", 7) == 0
               ? request_refuse(r, 401, "%s", err.text)
               : request_refuse(r, 401, "only Authorization: Bearer TOKEN is understood");
}
