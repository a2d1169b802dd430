/* aftermath.h - what a relayed statement has left on its backend for the session.
 *
 *   answer is with the client --> SHOW WARNINGS --> FOUND_ROWS(), LAST_INSERT_ID()
 *        --> what code has SET (settings.h) --> names of user variables --> their values
 *        --> locks --> leg_over()
 *
 * Each is asked only where the statement can have changed it. Afterwards the session
 * knows it all and any other backend will do.
 */
#ifndef WORKERS_QUERY_AFTERMATH_H
#define WORKERS_QUERY_AFTERMATH_H

#include "workers/query/query.h"

/* The leg's answer is complete; leg_over() comes from here. A failure in between cuts the
 * client off: nobody knows its state any more. */
void aftermath_take(struct leg *leg);

/* The same, and `done` instead of leg_over(). */
void aftermath_take_then(struct leg *leg, void (*done)(struct leg *leg));

/* The same for SET: first its warnings, later (when more was asked on the backend) the user
 * variables of the text; `done` instead of leg_over(), with no backend when that was lost. */
void aftermath_warnings(struct leg *leg, void (*done)(struct leg *leg));
void aftermath_variables(struct leg *leg, void (*done)(struct leg *leg));

#endif
