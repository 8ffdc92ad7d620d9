"""An OpenAPI document of a SCIM service, made from nothing but what the service advertises about itself.

RFC 7643 section 7 says what an attribute's characteristics mean; RFC 7644 says which requests there are and how they are answered.
Where the service leaves a client a choice, the document leaves it to whoever generates requests from it.
"""

SCIM = "application/scim+json"
ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_URN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_REQUEST_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
# RFC 7644 section 3.12, and RFC 9865 section 2.3 for the last three.
SCIM_TYPES = [
    "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget",
    "invalidValue", "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount",
]  # fmt: skip
# The types of RFC 7643 section 2.3 as JSON has them.
SIMPLE = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "integer": {"type": "integer"},
    "dateTime": {"type": "string", "format": "date-time"},
    "binary": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4}){0,8}$"},
    "reference": {"type": "string", "format": "uri"},
}
# One literal of each type, for filters.
LITERALS = {
    "string": '"a"',
    "boolean": "true",
    "decimal": "1.5",
    "integer": "1",
    "dateTime": '"2026-01-01T00:00:00Z"',
    "binary": '"QQ=="',
    "reference": '"https://example.com/a"',
}
# Attributes of every resource (RFC 7643 section 3.1), which no schema lists.
COMMON = {
    "id": {"type": "string", "minLength": 1},
    "externalId": {"type": "string"},
    "meta": {
        "type": "object",
        "required": ["resourceType", "location"],
        "properties": {
            "resourceType": {"type": "string"},
            "created": {"type": "string", "format": "date-time"},
            "lastModified": {"type": "string", "format": "date-time"},
            "location": {"type": "string", "format": "uri"},
            "version": {"type": "string", "pattern": '^(W/)?".*"$'},
        },
        "additionalProperties": False,
    },
}


def asked(attribute: dict, ids: dict) -> dict:
    """What a client may send for an attribute. `ids` are resources that exist, by the name of their type."""
    if attribute["type"] == "complex":
        subs = {sub["name"]: sub for sub in attribute.get("subAttributes", []) if sub["mutability"] != "readOnly"}
        properties = {name: asked(sub, ids) for name, sub in subs.items()}
        # Beside a `$ref` (RFC 7643 section 2.4), `value` is the id of what it leads to.
        known = [each for kind in subs.get("$ref", {}).get("referenceTypes", []) for each in ids.get(kind, [])]
        if known and "value" in properties:
            properties["value"] = {"anyOf": [{"enum": known}, {"type": "string"}]}
        one = {"type": "object", "properties": properties}
    elif attribute.get("canonicalValues"):
        one = {"anyOf": [{"enum": attribute["canonicalValues"]}, SIMPLE[attribute["type"]]]}
    elif attribute["required"] and attribute["type"] == "string":
        # What is required is not empty (RFC 7643 section 2.5). Most names are plain, so that most requests reach further.
        one = {"anyOf": [{"type": "string", "pattern": "^[a-z]{6,12}$"}, {"type": "string", "minLength": 1}]}
    else:
        one = SIMPLE[attribute["type"]]
    return {"type": "array", "items": one, "maxItems": 4} if attribute.get("multiValued") else one


def answered(attribute: dict) -> dict:
    """What a service may answer for an attribute: nothing that it does not advertise."""
    if attribute["type"] == "complex":
        subs = [sub for sub in attribute.get("subAttributes", []) if sub["returned"] != "never"]
        one = {
            "type": "object",
            "properties": {sub["name"]: answered(sub) for sub in subs},
            "additionalProperties": False,
        }
    else:
        # A reference may be relative (RFC 7643 section 2.3.7), and binary of any length.
        one = {"type": "string"} if attribute["type"] in ("binary", "reference") else SIMPLE[attribute["type"]]
    return {"type": "array", "items": one} if attribute.get("multiValued") else one


class Kind:
    """A resource type with its schema and its extensions."""

    def __init__(self, resource_type: dict, schemas: dict, ids: dict, full: bool) -> None:
        self.ids = ids
        self.full = full
        self.name = resource_type["name"]
        self.endpoint = resource_type["endpoint"]
        self.core = schemas[resource_type["schema"]]
        self.extensions = [schemas[each["schema"]] for each in resource_type.get("schemaExtensions", [])]

    def request(self) -> dict:
        """The body of a POST or a PUT."""
        core = self.core["id"]
        urns = [[core]] + [[core, extension["id"]] for extension in self.extensions]
        properties = {"schemas": {"enum": urns}, "externalId": COMMON["externalId"]}
        writable = [each for each in self.core["attributes"] if each["mutability"] != "readOnly"]
        properties.update({each["name"]: asked(each, self.ids) for each in writable})
        for extension in self.extensions:
            named = {each["name"]: asked(each, self.ids) for each in extension["attributes"] if each["mutability"] != "readOnly"}
            properties[extension["id"]] = {"type": "object", "properties": named}
        required = ["schemas"] + [each["name"] for each in writable if each["required"]]
        return {"type": "object", "properties": properties, "required": required}

    def answer(self) -> dict:
        """The resource as it comes back. A projection may leave out everything but these two (RFC 7644 section 3.9)."""
        urns = [self.core["id"]] + [extension["id"] for extension in self.extensions]
        properties = dict(COMMON, schemas={"type": "array", "items": {"enum": urns}, "minItems": 1, "uniqueItems": True})
        properties.update({each["name"]: answered(each) for each in self.core["attributes"] if each["returned"] != "never"})
        for extension in self.extensions:
            named = {each["name"]: answered(each) for each in extension["attributes"] if each["returned"] != "never"}
            properties[extension["id"]] = {"type": "object", "properties": named, "additionalProperties": False}
        return {
            "type": "object",
            "properties": properties,
            "required": ["schemas", "id"],
            "additionalProperties": False,
        }

    def places(self) -> list:
        """Each path that an operation or a filter can name, with the attribute that it leads to."""
        found = []
        for schema in [self.core, *self.extensions]:
            prefix = "" if schema is self.core else schema["id"] + ":"
            for attribute in schema["attributes"]:
                name = prefix + attribute["name"]
                found.append((name, attribute))
                for sub in attribute.get("subAttributes", []):
                    found.append((f"{name}.{sub['name']}", sub))
                    if attribute.get("multiValued"):
                        found.append((f'{name}[type eq "work"].{sub["name"]}', sub))
        return found

    def patch(self, share: int) -> dict:
        """The body of a PATCH: operations that fit their paths, for one path in `share`, and ones that need not."""
        anything = {"type": ["string", "boolean", "integer", "null", "array", "object"]}
        fitting = [
            operation(["add", "replace"], {"const": path}, asked(attribute, self.ids))
            for path, attribute in self.places()[::share]
        ]
        paths = [path for path, _ in self.places()]
        others = [
            operation(["remove"], {"enum": paths}, None),
            operation(["add", "replace", "remove", "Add", "Replace", "Remove"], {"enum": paths}, anything),
            operation(["add", "replace", "remove"], {"type": "string"}, anything),
            operation(["add", "replace"], None, {k: v for k, v in self.request().items() if k != "required"}),
        ]
        operations = {"type": "array", "items": {"anyOf": fitting + others}, "minItems": 1, "maxItems": 6}
        return {
            "type": "object",
            "properties": {"schemas": {"const": [PATCH_URN]}, "Operations": operations},
            "required": ["schemas", "Operations"],
        }

    def filters(self) -> dict:
        """Filters that mean something, combinations of them, and any text. All operators for each place only if all is wanted."""
        simple = ['id eq "a"', "externalId pr", 'meta.created gt "2026-01-01T00:00:00Z"', 'schemas eq "a"']
        for number, (path, attribute) in enumerate(self.places()):
            if "[" in path:
                simple.append(path.partition("[")[0] + '[type eq "work" and value pr]')
            if attribute["type"] == "complex":
                simple.append(f"{path} pr")
            else:
                literal = LITERALS[attribute["type"]]
                filters = [f"{path} {op} {literal}" for op in ("eq", "co", "gt", "sw", "ne", "ge", "ew", "lt", "le")]
                filters += [f"{path} pr", f"{path} eq null"]
                simple += filters if self.full else [filters[number % len(filters)]]
        simple = sorted(set(simple))
        half = len(simple) // 2
        joined = [f"{one} and not ({other})" for one, other in zip(simple[:half], simple[half:], strict=False)]
        joined += [f"({one} or {other}) and {one}" for one, other in zip(simple[::2], simple[1::2], strict=False)]
        return {"anyOf": [{"enum": simple + joined}, {"type": "string", "minLength": 1}]}


def operation(ops: list, path: dict | None, value: dict | None) -> dict:
    properties = {"op": {"enum": ops}}
    if path is not None:
        properties["path"] = path
    if value is not None:
        properties["value"] = value
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def content(schema: dict) -> dict:
    return {SCIM: {"schema": schema}}


def error() -> dict:
    """RFC 7644 section 3.12, with a closed list of keywords."""
    properties = {
        "schemas": {"const": [ERROR_URN]},
        "status": {"type": "string", "pattern": "^[45][0-9][0-9]$"},
        "scimType": {"enum": SCIM_TYPES},
        "detail": {"type": "string", "minLength": 1},
    }
    body = {
        "type": "object",
        "properties": properties,
        "required": ["schemas", "status", "detail"],
        "additionalProperties": False,
    }
    return {"description": "an error", "content": content(body)}


def listed(items: list) -> dict:
    """A ListResponse (RFC 7644 section 3.4.2) of such resources."""
    properties = {
        "schemas": {"const": [LIST_URN]},
        "totalResults": {"type": "integer", "minimum": 0},
        "itemsPerPage": {"type": "integer", "minimum": 0},
        "startIndex": {"type": "integer", "minimum": 1},
        "nextCursor": {"type": "string"},
        "previousCursor": {"type": "string"},
        "Resources": {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["schemas", "totalResults", "itemsPerPage", "Resources"],
        "additionalProperties": False,
    }


def answers(success: dict, *failures: int) -> dict:
    """Answers of one operation. 401, 413 and 429 are possible everywhere; 5xx nowhere."""
    named = {str(status): answer for status, answer in success.items()}
    named.update({str(status): error() for status in (401, 413, 429, *failures)})
    return named


def found(schema: dict, tagged: bool = False) -> dict:
    answer = {"description": "success", "content": content(schema)}
    if tagged:
        answer["headers"] = {"ETag": {"required": True, "schema": {"type": "string", "pattern": '^(W/)?".+"$'}}}
    return answer


def query(name: str, schema: dict) -> dict:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def names(kinds: list) -> dict:
    """Lists of attribute names as `attributes` and `excludedAttributes` take them."""
    paths = sorted({path for kind in kinds for path, _ in kind.places() if "[" not in path})
    lists = paths + [f"{one},{other}" for one, other in zip(paths[::2], paths[1::2], strict=False)]
    return {"anyOf": [{"enum": lists}, {"type": "string"}]}


def projection(kinds: list) -> list:
    return [query("attributes", names(kinds)), query("excludedAttributes", names(kinds))]


def search_fields(kinds: list) -> dict:
    """What a query can say, by the names of RFC 7644 section 3.4.3."""
    filters = {"anyOf": [kind.filters() for kind in kinds]}
    return {
        "filter": filters,
        "sortBy": names(kinds),
        "sortOrder": {"enum": ["ascending", "descending"]},
        "startIndex": {"type": "integer", "minimum": -5, "maximum": 1000},
        "count": {"type": "integer", "minimum": -5, "maximum": 1000},
    }


def search_request(kinds: list) -> dict:
    listed_names = {"type": "array", "items": names(kinds), "maxItems": 3}
    properties = {
        "schemas": {"const": [SEARCH_URN]},
        "attributes": listed_names,
        "excludedAttributes": listed_names,
        **search_fields(kinds),
    }
    return {"type": "object", "properties": properties, "required": ["schemas"]}


def body(schema: dict) -> dict:
    return {"required": True, "content": content(schema)}


def bulk(kinds: list, limit: int) -> dict:
    """RFC 7644 section 3.7: creations with names for one another, changes and deletions."""
    items = []
    for kind in kinds:
        created = {
            "method": {"const": "POST"},
            "path": {"const": kind.endpoint},
            "bulkId": {"enum": ["a", "b", "c", "d"]},
            "data": kind.request(),
        }
        made = [f"{kind.endpoint}/bulkId:{name}" for name in "abcd"]
        there = [f"{kind.endpoint}/{each}" for each in kind.ids.get(kind.name, [])]
        items.append({"type": "object", "properties": created, "required": list(created)})
        # PUT and PATCH are tried by themselves already: their data need not be of every shape here too.
        put = kind.request() if kind.full else {"type": "object"}
        for method, data in (("PUT", put), ("PATCH", kind.patch(1 if kind.full else 20)), ("DELETE", None)):
            # What exists stays for the others.
            changed = {"method": {"const": method}, "path": {"enum": made if data is None else made + there}}
            if data is not None:
                changed["data"] = data
            items.append({"type": "object", "properties": changed, "required": list(changed)})
    properties = {
        "schemas": {"const": [BULK_REQUEST_URN]},
        "failOnErrors": {"type": "integer", "minimum": 1, "maximum": 5},
        "Operations": {"type": "array", "items": {"anyOf": items}, "minItems": 1, "maxItems": min(limit, 8)},
    }
    return {"type": "object", "properties": properties, "required": ["schemas", "Operations"]}


def bulk_answer() -> dict:
    done = {
        "type": "object",
        "properties": {
            # As it was sent, whatever that was; none if none was.
            "method": {"type": "string", "minLength": 1},
            "bulkId": {"type": "string", "minLength": 1},
            "version": {"type": "string"},
            "location": {"type": "string"},
            "status": {"type": "string", "pattern": "^[1-4][0-9][0-9]$"},
            "response": {"type": "object"},
        },
        "required": ["status"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"schemas": {"const": [BULK_RESPONSE_URN]}, "Operations": {"type": "array", "items": done}},
        "required": ["schemas", "Operations"],
        "additionalProperties": False,
    }


def collection(kind: Kind) -> dict:
    """Queries and creations at a resource type's endpoint."""
    fields = search_fields([kind])
    parameters = [query(name, schema) for name, schema in fields.items()] + projection([kind])
    created = found(kind.answer(), tagged=True)
    created["headers"]["Location"] = {"required": True, "schema": {"type": "string", "format": "uri"}}
    # What a creation answers leads to the operations on what it made, so that sequences of requests can be generated.
    created["links"] = {
        method: {"operationId": f"{method}{kind.name}", "parameters": {"id": "$response.body#/id"}}
        for method in ("get", "put", "patch", "delete")
    }
    return {
        "get": {
            "operationId": f"query{kind.name}",
            "parameters": parameters,
            "responses": answers({200: found(listed([kind.answer()]))}, 400),
        },
        "post": {
            "operationId": f"create{kind.name}",
            "parameters": projection([kind]),
            "requestBody": body(kind.request()),
            "responses": answers({201: created}, 400, 403, 409, 415),
        },
    }


def one(kind: Kind) -> dict:
    """Operations on one resource."""
    tag = {"name": "If-Match", "in": "header", "required": False, "schema": {"enum": ["*", '"1"', 'W/"1"', 'W/"0"']}}
    unless = dict(tag, name="If-None-Match", schema={"enum": ['"1"', 'W/"0"']})
    shown = found(kind.answer(), tagged=True)
    same = {"description": "unchanged"}
    changed = (400, 403, 404, 409, 412, 415)
    known = {"enum": kind.ids.get(kind.name, []) or ["none"]}
    which = {"name": "id", "in": "path", "required": True}
    # Deletions choose any id, and what sequences of requests have created: what exists stays for the others.
    any_id = dict(which, schema={"type": "string", "minLength": 1})
    which = dict(which, schema={"anyOf": [known, {"type": "string", "minLength": 1}]})
    return {
        "get": {
            "operationId": f"get{kind.name}",
            "parameters": [which, *projection([kind]), unless],
            "responses": answers({200: shown, 304: same}, 400, 404),
        },
        "put": {
            "operationId": f"put{kind.name}",
            "parameters": [which, *projection([kind]), tag],
            "requestBody": body(kind.request()),
            "responses": answers({200: shown}, *changed),
        },
        "patch": {
            "operationId": f"patch{kind.name}",
            "parameters": [which, *projection([kind]), tag],
            "requestBody": body(kind.patch(1 if kind.full else 3)),
            "responses": answers({200: shown}, *changed),
        },
        "delete": {
            "operationId": f"delete{kind.name}",
            "parameters": [any_id, tag],
            "responses": answers({204: {"description": "gone"}}, 400, 403, 404, 412),
        },
    }


def search(name: str, kinds: list) -> dict:
    return {
        "post": {
            "operationId": name,
            "requestBody": body(search_request(kinds)),
            "responses": answers({200: found(listed([kind.answer() for kind in kinds]))}, 400, 415),
        }
    }


def discovery(name: str, schema: dict, ids: list) -> dict:
    """The list, and each of its members by id; filters are refused there (RFC 7644 section 4)."""
    resource = {"type": "object", "required": ["schemas", "id", "meta"]}
    named = {"anyOf": [{"enum": ids}, {"type": "string", "minLength": 1}]}
    return {
        f"/{name}": {
            "get": {
                "operationId": f"list{name}",
                "parameters": [query("filter", schema)],
                "responses": answers({200: found(listed([resource]))}, 400, 403),
            }
        },
        f"/{name}/{{id}}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": named}],
            "get": {"operationId": f"get{name}", "responses": answers({200: found(resource)}, 400, 404)},
        },
    }


def document(base: str, advertised: dict, ids: dict, full: bool) -> dict:
    """The OpenAPI document of the service at `base`, with what its discovery endpoints answered by their names. `ids` are resources
    that exist, by the name of their type."""
    by_urn = {schema["id"]: schema for schema in advertised["Schemas"]["Resources"]}
    kinds = [Kind(each, by_urn, ids, full) for each in advertised["ResourceTypes"]["Resources"]]
    config = advertised["ServiceProviderConfig"]
    text = {"type": "string"}
    paths = {
        "/ServiceProviderConfig": {
            "get": {
                "operationId": "config",
                "responses": answers({200: found({"type": "object", "required": ["schemas", "meta", "patch", "bulk"]})}),
            }
        },
        **discovery("Schemas", text, list(by_urn)),
        **discovery("ResourceTypes", text, [kind.name for kind in kinds]),
        "/.search": search("search", kinds),
    }
    for kind in kinds:
        paths[kind.endpoint] = collection(kind)
        paths[kind.endpoint + "/{id}"] = one(kind)
        paths[kind.endpoint + "/.search"] = search(f"search{kind.name}", [kind])
    if config["bulk"]["supported"]:
        paths["/Bulk"] = {
            "post": {
                "operationId": "bulk",
                "requestBody": body(bulk(kinds, config["bulk"]["maxOperations"])),
                "responses": answers({200: found(bulk_answer())}, 400, 415),
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "SCIM as advertised", "version": "2.0"},
        "servers": [{"url": base}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "security": [{"bearer": []}],
        "paths": paths,
        # For whoever sends the requests: values of these attributes must differ.
        "x-unique": sorted(
            {each["name"] for kind in kinds for each in kind.core["attributes"] if each["uniqueness"] != "none"}
        ),
    }
