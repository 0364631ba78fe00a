"""`/openapi.json` holds together: every route is there, every reference resolves, bodies match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.routing import BaseRoute, Mount, Route

from server.app import create_app
from server.generate import GenerateRequest
from server.openapi import document
from server.settings import Settings

DOCUMENT = document("1.2.3")
METHODS = {"get", "post", "delete"}


def routes(found: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    for route in found:
        if isinstance(route, Mount) and route.routes:
            yield from routes(list(route.routes), prefix + route.path)
        elif isinstance(route, Route):
            yield prefix + route.path, {m.lower() for m in route.methods or ()} & METHODS


def walk(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from walk(child)


def test_every_route_is_told_and_nothing_else() -> None:
    served = dict(routes(create_app(Settings(model=("fake",))).routes))
    pages = {"/", "/{path:path}"}
    told = {path: set(item) for path, item in DOCUMENT["paths"].items()}
    assert told == {path: methods for path, methods in served.items() if path not in pages}


def test_every_reference_resolves_and_every_schema_is_used() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    used = {node["$ref"] for node in walk(DOCUMENT) if "$ref" in node}
    assert used == {f"#/components/schemas/{name}" for name in schemas}


def test_every_answer_has_a_description_and_every_path_parameter_is_told() -> None:
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            assert operation["summary"]
            assert all(told["description"] for told in operation["responses"].values())
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_the_fields_of_generate_are_those_that_are_read() -> None:
    told = DOCUMENT["components"]["schemas"]["GenerateRequest"]
    assert set(told["properties"]) == set(GenerateRequest.__struct_fields__)
    assert told["additionalProperties"] is False
    assert "required" not in told or not told["required"]


def test_it_is_plain_json_of_openapi_3_1() -> None:
    assert set(msgspec.json.decode(msgspec.json.encode(DOCUMENT))) == set(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"
