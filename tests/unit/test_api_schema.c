/* test_api_schema.c - what the rows of the REST API's table allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/api/request.h"
#include "ctl/api/schema.h"

static const struct {
    const char *name, *schema, *object;
    bool        ok;
} bodies[] = {
    { "nothing", "", "{}", true },
    { "too much", "", "{\"a\": 1}", false },
    { "text", "a:text", "{\"a\": \"x\"}", true },
    { "null is absent", "a:text", "{\"a\": null}", true },
    { "null is not there", "a:text!", "{\"a\": null}", false },
    { "needed", "a:text! b:text", "{\"b\": \"x\"}", false },
    { "longest", "a:text(3)", "{\"a\": \"xyz\"}", true },
    { "too long", "a:text(3)", "{\"a\": \"wxyz\"}", false },
    { "bytes count, not characters", "a:text(3)", "{\"a\": \"\\u00e4\\u00e4\"}", false },
    { "NUL in a text", "a:text", "{\"a\": \"x\\u0000y\"}", false },
    { "NUL in bytes", "a:bytes", "{\"a\": \"x\\u0000y\"}", true },
    { "lowest", "a:int(2..64)", "{\"a\": 2}", true },
    { "highest", "a:int(2..64)!", "{\"a\": 64}", true },
    { "below", "a:int(2..64)", "{\"a\": 1}", false },
    { "above", "a:int(2..64)", "{\"a\": 65}", false },
    { "negative", "a:int", "{\"a\": -1}", false },
    { "below zero where it may", "a:int(-5..5)", "{\"a\": -5}", true },
    { "a real is not whole", "a:int", "{\"a\": 1.0}", false },
    { "a text is no number", "a:int", "{\"a\": \"1\"}", false },
    { "a whole number is a number", "a:number(0..1)", "{\"a\": 1}", true },
    { "number", "a:number(0..1)", "{\"a\": 0.5}", true },
    { "number above", "a:number(0..1)", "{\"a\": 1.5}", false },
    { "bool", "a:bool", "{\"a\": false}", true },
    { "bool is no number", "a:bool", "{\"a\": 0}", false },
    { "texts", "a:texts", "{\"a\": [\"x\", \"y\"]}", true },
    { "no texts", "a:texts", "{\"a\": []}", true },
    { "texts with a number", "a:texts", "{\"a\": [\"x\", 1]}", false },
    { "list", "a:list", "{\"a\": [[1], {}]}", true },
    { "object", "a:object", "{\"a\": {\"b\": 1}}", true },
    { "object is no list", "a:object", "{\"a\": []}", false },
    { "first word", "a:up|down", "{\"a\": \"up\"}", true },
    { "last word", "a:up|down!", "{\"a\": \"down\"}", true },
    { "part of a word", "a:up|down", "{\"a\": \"dow\"}", false },
    { "two words", "a:up|down", "{\"a\": \"up|down\"}", false },
    { "no word", "a:up|down", "{\"a\": \"\"}", false },
    { "case counts", "a:up|down", "{\"a\": \"UP\"}", false },
    { "beginning of a name", "abc:bool", "{\"ab\": true}", false },
};

static void
test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(bodies); i++) {
        json_t    *object = json_loads(bodies[i].object, JSON_ALLOW_NUL, NULL);
        struct err err    = { "" };
        bool       ok     = schema_check(bodies[i].schema, object, &err);

        if (ok != bodies[i].ok || (!ok && !err.text[0]))
            fail_msg("%s: %s", bodies[i].name, err.text);
        json_decref(object);
    }
}

static const struct {
    const char *schema, *value;
    bool        ok;
} queries[] = {
    { "a:int(1..9)", "9", true },     { "a:int(1..9)", "10", false },
    { "a:int", "", false },           { "a:int", "1.5", false },
    { "a:int", " 1", false },         { "a:int", "0x1", false },
    { "a:int", "99999999999999999999", false },
    { "a:number", "1.5", true },      { "a:number", "nan", false },
    { "a:number", "1.5.5", false },   { "a:bool", "true", true },
    { "a:bool", "1", false },         { "a:text", "", true },
    { "a:raw|hour", "hour", true },   { "a:raw|hour", "day", false },
};

static void
test_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(queries); i++) {
        json_t    *query = json_pack("{s:s}", "a", queries[i].value);
        struct err err   = { "" };

        if (schema_check_query(queries[i].schema, query, &err) != queries[i].ok)
            fail_msg("%s of %s: %s", queries[i].value, queries[i].schema, err.text);
        json_decref(query);
    }
}

/* Every row can be read: a slip of the pen would be found by users only. */
static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_n_routes; i++) {
        const struct route *r        = &api_routes[i];
        json_t             *document = schema_document(r->takes);
        json_t             *list     = json_array();

        assert_true(r->handler != NULL && r->summary[0] && r->path[0]);
        schema_parameters(r->takes, list);
        assert_int_equal(json_array_size(list),
                         json_object_size(json_object_get(document, "properties")));
        json_decref(list);
        json_decref(document);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
