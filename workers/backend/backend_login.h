/* backend_login.h - log in to a server (see backend_login.c). */
#ifndef WORKERS_BACKEND_BACKEND_LOGIN_H
#define WORKERS_BACKEND_BACKEND_LOGIN_H

#include "core/base/err.h"
#include "core/mysql/auth_plugin.h"
#include "core/mysql/compress.h"
#include "core/mysql/handshake.h"
#include "core/mysql/packet.h"

/* What a step leaves its caller to do. */
enum login_step {
    LOGIN_STEP_AGAIN, /* nothing: call the next step (the run loop does) */
    LOGIN_STEP_WAIT,  /* send what is in `out`, come back with more input */
    LOGIN_STEP_TLS,   /* send what is in `out`, begin TLS, and come back at once */
    LOGIN_STEP_DONE,  /* logged in */
    LOGIN_STEP_FAIL,  /* close the connection; `error` says why */
};

enum login_state {
    LOGIN_GREETING, /* the server speaks first */
    LOGIN_SECURE,   /* TLS has begun: the login is due */
    LOGIN_VERDICT,  /* OK, ERR, or one more question */
    LOGIN_KEY,     /* the server's RSA key, to send the password */
    LOGIN_READY,
    LOGIN_FAILED,
};

struct login_params {
    struct span user, password, schema;
    uint64_t    capabilities; /* all of them are needed: answers are relayed as they are */
    uint16_t    charset;
    uint64_t    compress;     /* CLIENT_COMPRESS or its like, if the server has it; 0: never */
    bool        tls;          /* a must */
    bool        secure;       /* nobody reads the wire: passwords may be said as they are */
};

struct backend_login {
    enum login_state     state;
    struct packet_reader reader;
    struct login_params  params; /* spans outlive the login */
    enum auth_plugin     plugin; /* of the last question */
    uint8_t              nonce[NONCE_BYTES];
    uint64_t             thread_id;
    uint64_t             offered;  /* by the server */
    enum compress_how    compress; /* from READY on */
    struct sql_error     error; /* set in LOGIN_FAILED */
};

/* Take what is complete in `in` and answer into `out`. *used is how many bytes
 * were taken. */
enum login_step backend_login_run(struct backend_login *l, struct span in, size_t *used,
                                  struct buf *out) must_check;

const char *login_state_name(enum login_state state);

#endif
