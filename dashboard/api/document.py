"""The OpenAPI document: what ninja makes of the operations, and what it does not know of them.

    python manage.py api_document

writes it to docs/openapi.json, which the tests compare with the code.
"""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from dashboard.api import links, problems
from dashboard.api.idempotency import HEADER, KEPT, KEY_PATTERN, LONGEST_KEY
from dashboard.api.paging import LARGEST
from dashboard.api.problems import FieldError, Problem

REFERENCE = "#/components/schemas/{model}"
FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood.",
    HTTPStatus.UNAUTHORIZED: "Nobody has signed in.",
    HTTPStatus.FORBIDDEN: "Whoever has signed in may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.CONFLICT: "It is not possible in the state that it has now; `current` names it where it has a name.",
    HTTPStatus.PRECONDITION_FAILED: "It has changed since the `ETag` of `If-Match` was given.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not sent as JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Fields were refused; `errors` names them.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much was asked; `Retry-After` says when to ask again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that is needed does not answer now; trying again may help.",
}
ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
WITH_A_BODY = (
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
CHANGING = {"post", "put", "patch", "delete"}
SECONDS = {"description": "Seconds.", "schema": {"type": "integer"}}
TAG = {"description": "Names this state of it, for `If-None-Match` and `If-Match`.", "schema": {"type": "string"}}
NUMBER = {"minimum": 1, "maximum": LARGEST}  # of a row
KEY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": f"A name of your own for this request. Sent again with it within {KEPT.days * 24} hours, the same "
    "request does nothing more and is answered as the first time (`Idempotent-Replayed: true`); another one is "
    "refused (422), and so is one while the first is under way (409).",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
}


def complete(schema: dict[str, Any]) -> None:
    """Add every refusal, header and key to the document, and leave nothing in a query that could be null."""
    for operations in schema["paths"].values():
        for method, operation in operations.items():
            for parameter in operation["parameters"]:
                _cannot_be_null(parameter["schema"])
                if parameter["in"] == "path" and parameter["schema"].get("type") == "integer":
                    parameter["schema"] |= NUMBER
            if method == "post":
                operation["parameters"].append(KEY)
            if method == "get":
                _tag(schema, operation)
            for status in _problems_of(method, operation):
                operation["responses"].setdefault(int(status), refusal(status))
    models = {model.__name__: model.model_json_schema(ref_template=REFERENCE) for model in (FieldError, Problem)}
    for model in models.values():
        model.pop("$defs", None)
    schema["components"].setdefault("schemas", {}).update(models)
    schema["components"]["responses"] = {_name(status): _response(status) for status in REFUSALS}
    links.link(schema)


def refusal(status: HTTPStatus) -> dict[str, Any]:
    """How an operation says that it may answer so."""
    return {"$ref": f"#/components/responses/{_name(status)}"}


def text() -> str:
    """The document as it stands in the repository."""
    from dashboard.api.application import api

    return json.dumps(api.get_openapi_schema(), indent=1, ensure_ascii=False) + "\n"


def _name(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "").replace("-", "")


def _response(status: HTTPStatus) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    headers = {"headers": {"Retry-After": SECONDS}} if status in LATER else {}
    return {"description": REFUSALS[status], "content": content, **headers}


def _cannot_be_null(schema: dict[str, Any]) -> None:
    """A query has no null: what may be null there may be left out."""
    if choices := schema.pop("anyOf", None):
        kept = [choice for choice in choices if choice != {"type": "null"}]
        schema.update(kept[0] if len(kept) == 1 else {"anyOf": kept})


def _tag(schema: dict[str, Any], operation: dict[str, Any]) -> None:
    """Single objects have an ETag, lists have none."""
    response = operation["responses"].get(int(HTTPStatus.OK), {})
    name = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    shown = schema["components"]["schemas"].get(name, {}).get("properties", {})
    if shown and "items" not in shown:
        response["headers"] = {"ETag": TAG}
        operation["responses"][int(HTTPStatus.NOT_MODIFIED)] = {"description": "It is as `If-None-Match` says."}


def _problems_of(method: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    """The statuses with which an operation may refuse."""
    places = {parameter["in"] for parameter in operation["parameters"]}
    found = list(ALWAYS)
    found += [HTTPStatus.NOT_FOUND] if "path" in places else []
    found += [HTTPStatus.CONFLICT] if method in CHANGING else []
    found += [HTTPStatus.UNPROCESSABLE_ENTITY] if "query" in places or method == "post" else []
    found += WITH_A_BODY if "requestBody" in operation else []
    return found
