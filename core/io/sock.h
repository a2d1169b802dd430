/* sock.h - addresses and listening sockets; plain system calls, no ring.
 *
 * For start-up and for the rare making of a socket. Sockets made here are
 * blocking (the ring wants that), close-on-exec, and have TCP_NODELAY and
 * keepalive (a vanished host is noticed after two minutes), which accepted
 * sockets inherit from their listener.
 */
#ifndef CORE_IO_SOCK_H
#define CORE_IO_SOCK_H

#include <sys/socket.h>

#include "core/base/base.h"
#include "core/base/err.h"

struct sock_addr {
    socklen_t               len;
    struct sockaddr_storage addr;
};

enum { SOCK_NAME_BYTES = 128 }; /* enough for any name, with its NUL */

/* No name service is asked:
 *   1.2.3.4:3306   [::1]:3306   1.2.3.4   ::1     (default_port)
 *   *:3306  :3306                                 (any IPv6 and IPv4 address)
 *   /run/x.sock    unix:/run/x.sock               (at most 107 bytes)
 */
bool sock_parse(struct sock_addr *out, const char *text, uint16_t default_port,
                struct err *err) must_check;

/* As sock_parse(), and names too ("db1:3306"): BLOCKS on the name service. */
bool sock_resolve(struct sock_addr *out, const char *text, uint16_t default_port,
                  struct err *err) must_check;

/* The text that sock_parse() would take; "unix" for a nameless Unix socket, "-"
 * when len is 0 (unknown). Returns `text`. */
const char *sock_name(const struct sock_addr *addr, char text[SOCK_NAME_BYTES]);

bool sock_is_unix(const struct sock_addr *addr);
bool sock_is_loopback(const struct sock_addr *addr);

/* The address alone, without the port ("10.0.0.7", "::1", "localhost" for Unix
 * sockets as MySQL says it), as in user@host. Returns `text`. */
const char *sock_host(const struct sock_addr *addr, char text[SOCK_NAME_BYTES]);

struct sock_listen_options {
    int      backlog;   /* 0: 4096 (the kernel cuts it to net.core.somaxconn) */
    bool     reuseport; /* one of several sockets of a group on the address */
    unsigned unix_mode; /* permissions of a Unix socket's file; 0: 0777 */
    unsigned silent_s;  /* of accepted ones, see sock_limit_silence() */
};

/* A bound and listening fd, owned by the caller, or -1 and a sentence. A stale
 * Unix socket file (nobody answers) is replaced. */
int sock_listen(const struct sock_addr *addr, const struct sock_listen_options *options,
                struct err *err) must_check;

enum sock_steer {
    SOCK_STEER_HASH,   /* the kernel's own: by the connection's addresses */
    SOCK_STEER_CPU,    /* to member (CPU that got the packet) mod n */
    SOCK_STEER_RANDOM, /* to any of n */
};

/* Says how a REUSEPORT group of `n` chooses; once, on any member, after all
 * have been made. Members are numbered in the order of listen(). 0 or -errno. */
int sock_steer(int fd, enum sock_steer how, unsigned n) must_check;

/* A socket for connecting to `addr`: an fd or -errno. */
int sock_open(const struct sock_addr *addr) must_check;

/* A TCP peer that acknowledges nothing of what it is sent, or takes nothing, for so many seconds
 * is gone, and operations get ETIMEDOUT; keepalive alone does not find it, because it is not
 * sent while data is on its way. 0: the kernel's own limit, a quarter of an hour and more.
 * Accepted sockets inherit it. Of Unix sockets nothing is asked. */
void sock_limit_silence(int fd, unsigned seconds);

/* The address `fd` is bound to; 0 or -errno. */
int sock_local(int fd, struct sock_addr *out);

/* The port in host order; 0 for Unix sockets. */
uint16_t sock_port(const struct sock_addr *addr);

/* Raises the soft RLIMIT_NOFILE to `n` if the hard limit allows; returns what
 * it is now. The direct table of a ring needs it (see ring_config.n_files). */
uint64_t sock_raise_nofile(uint64_t n);

#endif
