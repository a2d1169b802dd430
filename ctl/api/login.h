/* login.h - who asks: by the account at the other end of the Unix socket, or by a token. */
#ifndef CTL_API_LOGIN_H
#define CTL_API_LOGIN_H

#include <pthread.h>
#include <sys/types.h>

#include "ctl/api/request.h"

enum { FAILED_ADDRESSES = 1024, FAILED_MAX = 10, FAILED_WINDOW_S = 60, FAILED_NOTED = 20 };

/* Failed logins by address; of IPv6 by the first 64 bits, because whoever has one address there
 * has all of them. A full table forgets whoever failed longest ago. */
struct failed {
    pthread_mutex_t lock;
    struct {
        char     address[48];
        uint64_t since_ms;
        unsigned n;
    } row[FAILED_ADDRESSES];
    uint64_t noted_ms; /* when the window of `noted` began */
    unsigned noted;    /* addresses that were told about in it */
};

void failed_init(struct failed *f);
void failed_fini(struct failed *f);

/* By whom failures are counted: "192.0.2.1", "2001:db8:1:2::/64". */
void failed_key(const char *address, char out[48]);

/* Seconds until this one may try again; 0: at once. */
unsigned failed_wait_s(struct failed *f, const char *address, uint64_t now_ms) must_check;

/* True: from now on it has to wait, which is worth a line in the audit; of FAILED_NOTED such
 * lines in a minute the others are left out, because anybody can cause them. */
bool failed_note(struct failed *f, const char *address, uint64_t now_ms);

/* Over the socket: the account of the controller and root may do anything, members of `group`
 * ((gid_t)-1: none) have its role. False: nobody else may. Fills r->who and r->role. */
bool login_peer(struct request *r, int fd, gid_t group, enum role role) must_check;

/* "Bearer TOKEN" (NULL: none came) of `address`. Returns 0, or the status of the refusal, which
 * is in r->answer. */
unsigned login_token(struct request *r, const char *authorization, const char *address,
                     struct failed *failed) must_check;

#endif
