/* openapi.c - GET /v1/openapi.json: the table of routes as an OpenAPI 3.1 document. It is made
 * from the very rows that answer, so it cannot say anything else than they do. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/version.h"
#include "ctl/api/page.h"
#include "ctl/api/request.h"
#include "ctl/api/schema.h"

static const char components[] =
    "{\"securitySchemes\": {\"token\": {\"type\": \"http\", \"scheme\": \"bearer\","
    "  \"bearerFormat\": \"JWT\", \"description\": \"shardctl token issue\"}},"
    " \"headers\": {\"request\": {\"description\": \"Which request this answers\","
    "   \"schema\": {\"type\": \"string\"}},"
    "  \"etag\": {\"description\": \"The version of the object, for If-Match\","
    "   \"schema\": {\"type\": \"string\"}}},"
    " \"parameters\": {"
    "  \"once\": {\"name\": \"Idempotency-Key\", \"in\": \"header\", \"required\": false,"
    "   \"description\": \"Sent again with the same key it is answered again, and done once; the"
    " key is good for a day. 409: in work, or nobody knows; 422: it was for another request\","
    "   \"schema\": {\"type\": \"string\", \"maxLength\": 200}},"
    "  \"last_event\": {\"name\": \"Last-Event-ID\", \"in\": \"header\", \"required\": false,"
    "   \"description\": \"Go on behind this event\", \"schema\": {\"type\": \"string\"}},"
    "  \"if_match\": {\"name\": \"If-Match\", \"in\": \"header\", \"required\": false,"
    "   \"description\": \"Do it only if the object has this version; else 412\","
    "   \"schema\": {\"type\": \"string\"}}},"
    " \"schemas\": {\"Error\": {\"type\": \"object\", \"required\": [\"error\"],"
    "  \"properties\": {\"error\": {\"type\": \"object\","
    "   \"required\": [\"code\", \"sqlstate\", \"message\", \"request_id\"],"
    "   \"properties\": {\"code\": {\"type\": \"integer\"}, \"sqlstate\": {\"type\": \"string\"},"
    "    \"message\": {\"type\": \"string\"}, \"request_id\": {\"type\": \"string\"}}}}}},"
    " \"responses\": {\"Error\": {\"description\": \"What is wrong, and what to do\","
    "  \"content\": {\"application/json\": {\"schema\":"
    "   {\"$ref\": \"#/components/schemas/Error\"}}}}}}";

static json_t *
reference(const char *where, const char *name)
{
    char text[96];

    snprintf(text, sizeof(text), "#/components/%s/%s", where, name);
    return json_pack("{s:s}", "$ref", text);
}

static bool
changes(const struct route *route)
{
    return strcmp(route->method, "GET") != 0;
}

static bool
has_body(const struct route *route)
{
    return strcmp(route->method, "POST") == 0 || strcmp(route->method, "PUT") == 0;
}

/* {name} of the path. */
static void
path_parameters(const char *path, json_t *list)
{
    for (const char *at = path; (at = strchr(at, '{')); at++)
        json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s, s:i}}", "name", at + 1,
            strcspn(at + 1, "}"), "in", "path", "required", 1, "schema", "type", "string",
            "minLength", 1));
}

static json_t *
parameters(const struct route *route)
{
    json_t *list = json_array();

    path_parameters(route->path, list);
    if (!has_body(route))
        schema_parameters(route->takes, list);
    if (route->list[0])
        schema_parameters(PAGE_TAKES, list);
    if (changes(route) && route->object != NO_OBJECT)
        json_array_append_new(list, reference("parameters", "if_match"));
    if (route_changes(route))
        json_array_append_new(list, reference("parameters", "once"));
    if (route_streams(route))
        json_array_append_new(list, reference("parameters", "last_event"));
    return list;
}

static json_t *
answer_schema(const struct route *route)
{
    char    member[48];
    json_t *schema = json_pack("{s:s}", "type", "object");

    if (!route->list[0])
        return schema;
    page_member(route->list, member);
    json_object_set_new(schema, "properties", json_pack("{s:{s:s, s:{s:s}}, s:{s:s}}", member,
        "type", "array", "items", "type", "object", "next_cursor", "type", "string"));
    json_object_set_new(schema, "required", json_pack("[s]", member));
    return schema;
}

static json_t *
responses(const struct route *route)
{
    json_t *headers = json_pack("{s:o}", "X-Request-Id", reference("headers", "request"));

    if (route_streams(route))
        return json_pack("{s:{s:s, s:o, s:{s:{s:{s:s}}}}, s:o}", "200", "description",
                         "Server-sent events", "headers", headers, "content",
                         "text/event-stream", "schema", "type", "string", "default",
                         reference("responses", "Error"));
    if (route->object != NO_OBJECT && !changes(route))
        json_object_set_new(headers, "ETag", reference("headers", "etag"));
    return json_pack("{s:{s:s, s:o, s:{s:{s:o}}}, s:o}", "200", "description", "Done", "headers",
                     headers, "content", "application/json", "schema", answer_schema(route),
                     "default", reference("responses", "Error"));
}

/* "get_users_name": a name for programs that make clients. */
static char *
operation_id(const struct route *route)
{
    struct buf out  = { 0 };
    bool       word = false;
    char      *text;

    buf_printf(&out, "%s_", route->method);
    for (const char *at = route->path; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9');

        if (!letter && word)
            buf_append_text(&out, "_");
        else if (letter)
            buf_append_byte(&out, (uint8_t)*at);
        word = letter;
    }
    text = mem_strdup(buf_cstr(&out));
    for (char *at = text; *at && *at != '_'; at++)
        *at = (char)(*at | 0x20);
    if (text[strlen(text) - 1] == '_')
        text[strlen(text) - 1] = '\0';
    buf_fini(&out);
    return text;
}

static json_t *
operation(const struct route *route)
{
    char   *id  = operation_id(route);
    json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "operationId", id, "summary",
        route->summary, "x-role", role_name(route->role), "tags",
        json_pack("[s%]", route->path, strcspn(route->path, "/")), "parameters",
        parameters(route), "responses", responses(route));

    free(id);
    if (route_streams(route))
        json_object_set_new(out, "x-stream", json_true());
    if (has_body(route))
        json_object_set_new(out, "requestBody", json_pack("{s:b, s:{s:{s:o}}}", "required",
            strchr(route->takes, '!') != NULL, "content", "application/json", "schema",
            schema_document(route->takes)));
    return out;
}

unsigned
api_openapi(struct request *r)
{
    json_t *paths = json_object();

    for (size_t i = 0; i < api_n_routes; i++) {
        const struct route *route = &api_routes[i];
        char                path[160], method[16];
        json_t             *item;

        snprintf(path, sizeof(path), "/v1/%s", route->path);
        snprintf(method, sizeof(method), "%s", route->method);
        for (char *at = method; *at; at++)
            *at = (char)(*at | 0x20);
        item = json_object_get(paths, path);
        if (!item) {
            item = json_object();
            json_object_set_new(paths, path, item);
        }
        json_object_set_new(item, method, operation(route));
    }
    r->answer = json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}], s:o, s:o}", "openapi",
        "3.1.0", "info", "title", "shardd", "version", SHARDD_VERSION, "description",
        "The controller of a cluster. Errors have one shape; every answer has X-Request-Id.",
        "servers", "url", "/", "security", "token", "paths", paths, "components",
        json_loads(components, 0, NULL));
    return 200;
}
