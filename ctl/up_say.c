/* up_say.c - see up_say.h. */
#include "ctl/up_say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/provision/claim.h"

void
up_progress(const char *text)
{
    printf("  %s\n", text);
    fflush(stdout);
}

/* To a terminal, or to the log when nobody looks any more. */
void
up_say(bool detached, const char *text)
{
    if (detached)
        log_info("%s", text);
    else
        up_progress(text);
}

void
up_announce_json(struct cluster *c, int fd)
{
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:s}", "home", c->path.home, "instance",
                               c->instance, "listen", c->listen, "socket", c->socket, "http",
                               c->http);
    struct sql_error why;

    if (!claim_on_duty(c, &why))
        json_object_set_new(answer, "standby", json_string(why.message));
    if (json_dumpfd(answer, fd, JSON_INDENT(2)) != 0 || write(fd, "\n", 1) != 1)
        log_warn("cannot write that it is ready: %s", strerror(errno));
    close(fd);
    json_decref(answer);
}

/* What to type next: the program as it was called, and the home when it is not the default. */
void
up_announce(struct cluster *c, bool detached)
{
    const char          *me = strchr(program_invocation_name, '/') ? program_invocation_name
                                                                   : "shardctl";
    struct cluster_paths usual;
    struct err           ignored;
    bool        plain  = cluster_paths(NULL, &usual, &ignored) &&
                         strcmp(usual.home, c->path.home) == 0;
    bool        local  = c->socket[0] != '\0';
    const char *option = plain ? "" : " --home ", *home = plain ? "" : c->path.home;
    struct sql_error     why;

    if (claim_on_duty(c, &why))
        printf("\nshardd is ready.\n");
    else
        printf("\nshardd runs, and this controller stands by: %s\n", why.message);
    printf("\n"
           "  connect   mariadb -h 127.0.0.1 -P %s -u app -papp app\n"
           "%s%s%s"
           "  metrics   http://%s/metrics\n"
           "  look      %s status%s%s\n"
           "  stop      %s%s down%s%s\n\n",
           strchr(c->listen, ':') + 1, local ? "            mariadb -S " : "", c->socket,
           local ? " -u app -papp app\n" : "", c->http, me, option, home,
           detached ? "" : "Ctrl-C, or ", me, option, home);
    fflush(stdout);
}

/* Nobody waits on the terminal any more: what is said from now on is a log. */
void
up_detach_output(const struct cluster *c, int done_fd)
{
    char path[CLUSTER_PATH_MAX + 16];
    int  fd;

    snprintf(path, sizeof(path), "%s/shardctl.log", c->path.home);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
    }
    if (write(done_fd, "R", 1) != 1)
        log_warn("nobody waits for the start");
    close(done_fd);
}
