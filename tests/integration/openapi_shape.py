"""openapi_shape.py - what an OpenAPI 3.1 document has to look like, as JSON Schema (2020-12).

The parts of the specification that our document uses, strictly: unknown members are errors.
"""
import jsonschema

TEXT = {"type": "string", "minLength": 1}
REFERENCE = {"type": "object", "required": ["$ref"], "additionalProperties": False,
             "properties": {"$ref": {"type": "string", "pattern": "^#/components/"}}}
SCHEMA = {"type": "object"}  # checked by its own meta-schema
MEDIA = {"type": "object", "minProperties": 1, "additionalProperties": {
    "type": "object", "required": ["schema"], "additionalProperties": False,
    "properties": {"schema": SCHEMA}}}
PARAMETER = {"type": "object", "required": ["name", "in", "schema", "required"],
             "additionalProperties": False,
             "properties": {"name": TEXT, "in": {"enum": ["path", "query", "header"]},
                            "description": TEXT, "schema": SCHEMA,
                            "required": {"type": "boolean"}}}
HEADER = {"anyOf": [REFERENCE, {
    "type": "object", "required": ["schema"], "additionalProperties": False,
    "properties": {"schema": SCHEMA, "description": TEXT}}]}
RESPONSE = {"anyOf": [REFERENCE, {
    "type": "object", "required": ["description"], "additionalProperties": False,
    "properties": {"description": TEXT, "content": MEDIA,
                   "headers": {"type": "object", "additionalProperties": HEADER}}}]}
OPERATION = {
    "type": "object", "additionalProperties": False,
    "required": ["operationId", "summary", "responses", "tags", "parameters", "x-role"],
    "properties": {
        "operationId": {"type": "string", "pattern": "^[a-z0-9_]+$"}, "summary": TEXT,
        "x-stream": {"const": True},
        "x-role": {"enum": ["viewer", "operator", "admin", "owner"]},
        "tags": {"type": "array", "items": TEXT},
        "parameters": {"type": "array", "items": {"anyOf": [REFERENCE, PARAMETER]}},
        "requestBody": {"type": "object", "required": ["content", "required"],
                        "additionalProperties": False,
                        "properties": {"content": MEDIA, "required": {"type": "boolean"}}},
        "responses": {"type": "object", "required": ["default"], "additionalProperties": False,
                      "patternProperties": {"^([1-5][0-9][0-9]|default)$": RESPONSE}}}}
DOCUMENT = {
    "type": "object", "additionalProperties": False,
    "required": ["openapi", "info", "paths", "components", "security", "servers"],
    "properties": {
        "openapi": {"type": "string", "pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"],
                 "additionalProperties": False,
                 "properties": {"title": TEXT, "version": TEXT, "description": TEXT}},
        "servers": {"type": "array", "items": {
            "type": "object", "required": ["url"], "properties": {"url": TEXT}}},
        "security": {"type": "array", "items": {"type": "object"}},
        "paths": {"type": "object", "additionalProperties": False, "patternProperties": {
            "^/v1/": {"type": "object", "additionalProperties": False, "properties": {
                method: OPERATION for method in ("get", "put", "post", "delete")}}}},
        "components": {"type": "object", "additionalProperties": False, "properties": {
            "schemas": {"type": "object", "additionalProperties": SCHEMA},
            "securitySchemes": {"type": "object", "additionalProperties": {
                "type": "object", "required": ["type"]}},
            "headers": {"type": "object", "additionalProperties": HEADER},
            "parameters": {"type": "object", "additionalProperties": PARAMETER},
            "responses": {"type": "object", "additionalProperties": RESPONSE}}}}}


def _visit(node, seen):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                seen["schemas"].append(value)
            elif key == "$ref":
                seen["references"].append(value)
            _visit(value, seen)
    elif isinstance(node, list):
        for value in node:
            _visit(value, seen)


def check(document):
    """Raises when it is no good document."""
    jsonschema.Draft202012Validator(DOCUMENT).validate(document)
    seen = {"schemas": list(document["components"]["schemas"].values()), "references": []}
    _visit(document, seen)
    for schema in seen["schemas"]:
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in seen["references"]:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    ids = [operation["operationId"] for item in document["paths"].values()
           for operation in item.values()]
    assert len(ids) == len(set(ids)), "each operation has a name of its own"
    for path, item in document["paths"].items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for operation in item.values():
            told = {p["name"] for p in operation["parameters"] if p.get("in") == "path"}
            assert told == named, (path, told)
