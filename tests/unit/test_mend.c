/* test_mend.c - what is read in a server's words about an applier that has stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/failover/mend.h"

static const struct {
    const char *problem, *statement;
} problems[] = {
    { "Error 'XAER_NOTA: Unknown XID' on query. Default database: ''. Query: 'XA COMMIT "
      "X'6231',X'32',1'", "XA COMMIT X'6231',X'32',1" },
    { "Error 'XAER_NOTA: Unknown XID' on query. Default database: 'a'. Query: 'XA ROLLBACK "
      "X'6231',X'',1'", "XA ROLLBACK X'6231',X'',1" },
    { "Error 'XAER_NOTA: Unknown XID' on query. Query: 'XA COMMIT X'62", NULL },
    { "Error 'XAER_NOTA: Unknown XID' on query. Query: '", NULL },
    { "XAER_DUPID: The XID already exists", NULL },
    { "", NULL },
};

static void
test_statements(void **state)
{
    char room[256];

    (void)state;
    for (size_t i = 0; i < countof(problems); i++) {
        const char *is = mend_statement(problems[i].problem, room, sizeof(room));

        if (problems[i].statement)
            assert_string_equal(is, problems[i].statement);
        else
            assert_null(is);
    }
    assert_null(mend_statement(problems[0].problem, room, strlen(problems[0].statement)));
}

#define OUT_OF_SEQUENCE(is, existing)                                                             \
    "An attempt was made to binlog GTID " is " which would create an out-of-order sequence "      \
    "number with existing GTID " existing ", and gtid strict mode is enabled"

static const struct {
    const char *problem, *last;
    bool        is;
} ends[] = {
    { OUT_OF_SEQUENCE("0-1-294", "0-1-294"), "0-1-294", true },
    { OUT_OF_SEQUENCE("2-1-294", "2-1-294"), "1-1-17,2-1-294,3-5-9", true },
    { OUT_OF_SEQUENCE("0-1-294", "0-1-294"), "0-1-295", false },
    { OUT_OF_SEQUENCE("0-1-294", "0-1-294"), "1-1-294", false },
    { OUT_OF_SEQUENCE("0-1-294", "0-2-294"), "0-2-294", false }, /* somebody wrote there */
    { OUT_OF_SEQUENCE("0-1-294", "0-1-300"), "0-1-300", false },
    { OUT_OF_SEQUENCE("", ""), "", false },
    { "XAER_DUPID: The XID already exists", "0-1-294", false },
    { "", "", false },
};

static void
test_the_last_of_a_log(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(ends); i++)
        if (mend_is_last(ends[i].problem, ends[i].last) != ends[i].is)
            fail_msg("%s, and the last is %s", ends[i].problem, ends[i].last);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_the_last_of_a_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
