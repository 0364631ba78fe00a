"""`/openapi.json`: the HTTP interface as OpenAPI 3.1, generated from the types that the routes use.

Role: bodies come from the msgspec structs; only paths, statuses and headers are written here. A
test holds it to the routes that exist.

It does not know: the WebSocket protocol (docs/protocol.md and its schema tell that).
"""

from __future__ import annotations

from typing import Any

import msgspec

from server.generate import GenerateRequest, PictureEvent
from server.http import SECRET_HEADER, Alive, Models, Opened, OpenRequest, Readiness
from server.problems import Problem

_BODIES = (Alive, Readiness, Models, OpenRequest, Opened, GenerateRequest, PictureEvent, Problem)
_PICTURES = ("image/png", "image/jpeg", "image/webp")
_FOREIGN = {"403": "A foreign Host or Origin."}
_COMMON = {"401": "No token, or a wrong one.", **_FOREIGN}


def document(version: str) -> dict[str, Any]:
    """The whole document, as plain data."""
    _, schemas = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Riverrun",
            "version": version,
            "description": "Pictures that repaint as you draw. The session itself is a WebSocket "
            "at /v1/session, described in docs/protocol.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths() -> dict[str, Any]:
    not_ready = {"503": _told("Not ready, draining or full; try again after Retry-After.")}
    return {
        "/healthz": {"get": _open_to_all("Is the process alive?", {
            "200": _json("Alive", "It is.")})},
        "/readyz": {"get": _open_to_all("Are requests being served?", {
            "200": _json("Readiness", "They are."),
            "503": _json("Readiness", "Not now; `state` says why and `fraction` how far it is."),
        })},
        "/metrics": {"get": _get("Figures for Prometheus.", {
            "200": {"description": "Prometheus' text format.",
                    "content": {"text/plain": {"schema": {"type": "string"}}}},
        })},
        "/openapi.json": {"get": _open_to_all("This document.", {
            "200": {"description": "OpenAPI 3.1.",
                    "content": {"application/json": {"schema": {"type": "object"}}}},
        })},
        "/v1/models": {"get": _get("What is served, and all that each model takes.", {
            "200": _json("Models", "The models."), **not_ready})},
        "/v1/sessions": {"post": _open() | {"responses": _answers({
            "201": _json("Opened", "Connect to `url` with these."),
            "400": _told("No JSON."), "404": _told("An unknown model."),
            "413": _told("The body is too long."), "422": _told("A wrong field."), **not_ready})}},
        "/v1/sessions/{session}": {"delete": _end()},
        "/v1/generate": {"post": _generate() | {"responses": _answers({
            "200": _picture(), "400": _told("No JSON."), "404": _told("An unknown model."),
            "413": _told("The body is too long."), "500": _told("The model failed."),
            "422": _told("A wrong field, or one that the model doesn't take."), **not_ready})}},
    }  # fmt: skip


def _get(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": _answers(responses)}


def _open_to_all(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    """A GET that asks for no token."""
    return {"summary": summary, "security": [], "responses": _answers(responses, _FOREIGN)}


def _answers(responses: dict[str, Any], common: dict[str, str] = _COMMON) -> dict[str, Any]:
    return {**responses, **{status: _told(text) for status, text in common.items()}}


def _open() -> dict[str, Any]:
    return {
        "summary": "Open a session to connect to.",
        "requestBody": {"required": False, "content": _content("OpenRequest")},
    }


def _end() -> dict[str, Any]:
    where = {"required": True, "schema": {"type": "string"}}
    return {
        "summary": "End a session; nothing of it is kept.",
        "parameters": [
            {"name": "session", "in": "path", **where},
            {
                "name": SECRET_HEADER,
                "in": "header",
                **where,
                "required": False,
                "description": "The session's secret; without a server token Authorization: Bearer "
                "may carry it instead.",
            },
        ],
        "responses": {
            "204": {"description": "It is over."},
            "401": _told(_COMMON["401"]),
            "403": _told("A wrong secret, or a foreign Host or Origin."),
        },
    }


def _generate() -> dict[str, Any]:
    return {
        "summary": "Make one picture.",
        "description": "Everything is optional but the prompt or the canvas. With `stream` the "
        "answer is server-sent events: `preview`s, then `final`, or `error`.",
        "requestBody": {"required": True, "content": _content("GenerateRequest")},
    }


def _picture() -> dict[str, Any]:
    picture = {"schema": {"type": "string", "contentMediaType": "image/*"}}
    events = {"schema": {"$ref": "#/components/schemas/PictureEvent"}}
    text = {"schema": {"type": "string"}}
    names = ("X-Riverrun-Model", "X-Riverrun-Revision", "X-Riverrun-Steps", "X-Riverrun-Seed")
    return {
        "description": "The picture's bytes, or events whose data is a PictureEvent.",
        "headers": dict.fromkeys((*names, "Server-Timing"), text),
        "content": {**dict.fromkeys(_PICTURES, picture), "text/event-stream": events},
    }


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _json(name: str, text: str) -> dict[str, Any]:
    return {"description": text, "content": _content(name)}


def _told(text: str) -> dict[str, Any]:
    return _json("Problem", text)
