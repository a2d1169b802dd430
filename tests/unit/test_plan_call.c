/* test_plan_call.c - CALL, planned where there is no engine; test_plan_gather.c has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

#define HINTED                                                                               \
    "refuse 1235: shardd: shard=s1 in a comment is for plain reads, and CALL of procedures that "  \
    "only read, with constants and user variables, and not for tables whose rows move"

static const struct plan_case cases[] = {
    { "CALL p(1)",
      "refuse 1235: shardd: CALL of 'p' is not possible, as its database has sharded or reference "
      "tables: what it does is not known; CREATE OR REPLACE PROCEDURE makes it known, if it can be "
      "read" },
    { "CALL makes",
      "refuse 1235: shardd: CALL of 'makes' is not possible, as its database has sharded or "
      "reference tables: it executes text that it makes, and what that does cannot be seen" },
    { "CALL app.Fills((SELECT MAX(id) FROM config), sums(1))",
      "one home (s0)" },
    { "CALL fills((SELECT MAX(id) FROM users))",
      "refuse 1235: shardd: the arguments of CALL can use global tables of the procedure's "
      "home and reference tables only: SET a user variable before" },
    { "CALL fills((SELECT MAX(id) FROM tags))",
      "one home (s0)" },
    { "CALL fills((SELECT MAX(id) FROM other.things))",
      "refuse 1235: shardd: the arguments of CALL can use global tables of the procedure's "
      "home and reference tables only: SET a user variable before" },
    { "CALL fills(looks(1))",
      "refuse 1235: shardd: the stored function 'looks' cannot be used here, as its database "
      "has sharded or reference tables: it reads tables, calls other routines or runs "
      "statements, which it would do on one shard alone" },
    { "CALL spread(1)",
      "refuse 1235: shardd: CALL of 'spread' is not possible, as its database has sharded or "
      "reference tables: it names, or may reach, sharded or reference tables, views, tables of "
      "another home, or routines that do or are not known; one that only reads could be called" },
    { "CALL sees(1, @a, -2.5, NULL, DATE '2024-01-01')",
      "refuse 1235: shardd: CALL of 'sees', which reads sharded or reference tables, wants an "
      "engine, where their rows are brought together: 'shardctl engine add'; or name the shard in "
      "a comment, to see the rows that are there" },
    { "CALL sees((SELECT MAX(id) FROM config))",
      "refuse 1235: shardd: the arguments of CALL can be constants and user variables only, where "
      "the procedure reads sharded or reference tables: SET a user variable before" },
    { "CALL views()",
      "refuse 1235: shardd: a routine may read the view 'vs', whose rows cannot be brought "
      "together with those of other shards: have it read the view's tables, or name the shard: "
      "shard=NAME in a comment" },
    { "/* shardd: shard=s1 */ CALL sees(1, @a)",
      "one home (s1)" },
    { "/* shardd: shard=s1 */ CALL views()",
      "one home (s1)" },
    { "/* shardd: shard=s1 */ CALL sees(NOW())", HINTED },
    { "/* shardd: shard=s1 */ CALL spread(1)", HINTED },
    { "/* shardd: shard=s1 */ CALL fills()", HINTED },
    { "CALL other.fills()",
      "refuse 1235: shardd: CALL of 'fills' is not possible, as its database has sharded or "
      "reference tables: what it does is not known; CREATE OR REPLACE PROCEDURE makes it "
      "known, if it can be read" },
};

int
main(void)
{
    world_init();
    return plans_main(cases, countof(cases));
}
