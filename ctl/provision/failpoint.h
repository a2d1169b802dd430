/* failpoint.h - places where a test kills the controller.
 *
 * With SHARDD_FAIL_AT=NAME in its environment the process ends at the failpoint of that name as
 * by kill -9: nothing is flushed, closed or undone. With SHARDD_STOP_AT=NAME it stops there once,
 * as by SIGSTOP, until the test has done something to a server and sends SIGCONT. Without these
 * nothing happens, at the cost of a look at two words. The names are those in the code,
 * "cutover-journal" for example.
 */
#ifndef CTL_PROVISION_FAILPOINT_H
#define CTL_PROVISION_FAILPOINT_H

void failpoint(const char *name);

#endif
