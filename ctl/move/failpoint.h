/* failpoint.h - places where a test kills the controller.
 *
 * With SHARDD_FAIL_AT=NAME in its environment the process ends at the failpoint of that name as
 * by kill -9: nothing is flushed, closed or undone. Without it nothing happens, at the cost of
 * a look at one word. The names are those in the code, "cutover-journal" for example.
 */
#ifndef CTL_MOVE_FAILPOINT_H
#define CTL_MOVE_FAILPOINT_H

void failpoint(const char *name);

#endif
