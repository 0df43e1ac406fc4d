"""Holds recorded traffic against an OpenAPI 3.0 document: requests of the adapter, answers of the simulator.

    bodies.py openapi.yaml recorded.jsonl
"""

import json
import re
import sys
from urllib.parse import parse_qsl, urlsplit

import yaml
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4


def operations(document):
    """Each operation with a pattern for its path."""
    for template, item in document["paths"].items():
        pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$")
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                yield method.upper(), template, pattern, item[method], parameters


def errors(validator, schema, registry, value):
    """What is wrong with a value, each with its place."""
    found = validator({"$ref": f"urn:document#{schema}"}, registry=registry).iter_errors(value)
    return [f"{'/'.join(map(str, one.absolute_path)) or 'body'}: {one.message[:300]}" for one in found]


def pointer(*parts):
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def resolve(document, node):
    while "$ref" in node:
        where = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            where = where[part.replace("~1", "/").replace("~0", "~")]
        node = where
    return node


def blind(document, registry, calls):
    """Spoilt messages that go through nevertheless: a check that finds nothing must be able to find something."""
    message = next(it["body"] for it in calls if it["method"] == "POST" and it["path"].endswith("/messages"))
    template = "/v2/apps/{appId}/conversations/{conversationId}/messages"
    schema = pointer("paths", template, "post", "requestBody", "content", "application/json", "schema")
    spoilt = {
        "an author who is nobody": {**message, "author": {"type": "agent"}},
        "no author": {"content": message["content"]},
        "a text of 4097 characters": {**message, "content": {"type": "text", "text": "x" * 4097}},
        "metadata that is no object": {**message, "metadata": "s1"},
    }
    return [name for name, body in spoilt.items() if not errors(OAS30WriteValidator, schema, registry, body)]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = yaml.safe_load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        calls = [json.loads(line) for line in file]
    registry = Registry().with_resource("urn:document", Resource(contents=document, specification=DRAFT4))
    print(f"  {document['info']['title']} {document['info']['version']}, {len(calls)} recorded calls")
    known = list(operations(document))
    checked, wrong = {}, 0
    for name in blind(document, registry, calls):
        print(f"  FAILED  the check does not see {name}")
        wrong += 1
    for call in calls:
        split = urlsplit(call["path"])
        path = split.path.removeprefix("/sc")
        # The one with the fewest placeholders is meant.
        fits = [it for it in known if it[0] == call["method"] and it[2].match(path)]
        if not fits:
            print(f"  FAILED  {call['method']} {path} is no operation")
            wrong += 1
            continue
        method, template, _, operation, parameters = min(fits, key=lambda it: it[1].count("{"))
        problems = []
        names = {resolve(document, it)["name"] for it in parameters}
        for name, _ in parse_qsl(split.query):
            if name.split("[")[0] not in names:
                problems.append(f"the query has no `{name}`")
        base = ("paths", template, method.lower())
        content = operation.get("requestBody", {}).get("content", {})
        if call["body"] is not None:
            schema = pointer(*base, "requestBody", "content", "application/json", "schema")
            if "application/json" in content:
                problems += [f"request {it}" for it in errors(OAS30WriteValidator, schema, registry, call["body"])]
            else:
                problems.append("request: the operation takes no JSON")
        elif operation.get("requestBody", {}).get("required") and "application/json" in content:
            problems.append("request: a body is required")
        status = str(call["status"])
        response = operation["responses"].get(status)
        if response is None:
            problems.append(f"answer: {status} is no answer of the operation")
        elif "$ref" not in response and "application/json" in response.get("content", {}):
            schema = pointer(*base, "responses", status, "content", "application/json", "schema")
            problems += [f"answer {it}" for it in errors(OAS30ReadValidator, schema, registry, call["answer"])]
        for problem in problems:
            print(f"  FAILED  {method} {template}: {problem}")
        wrong += len(problems)
        checked[f"{method} {template}"] = checked.get(f"{method} {template}", 0) + (not problems)
    for operation, count in sorted(checked.items()):
        print(f"  {'ok' if count else '--':6}  {operation} ({count})")
    return 1 if wrong else 0


sys.exit(main())
