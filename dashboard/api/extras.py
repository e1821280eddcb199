"""What operations add to the document beside their parameters and answers, as ninja's `openapi_extra`."""

from http import HTTPStatus
from typing import Any

ADDRESS = {"Location": {"description": "Its address.", "schema": {"type": "string"}}}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The `ETag` that it had when you read it; 412 when it has changed since.",
    "schema": {"type": "string"},
}


def _refusal(status: HTTPStatus) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{status.phrase.replace(' ', '').replace('-', '')}"}


def may_refuse(*statuses: HTTPStatus) -> dict[str, Any]:
    """Refusals that do not follow from the method and the parameters."""
    return {"responses": {int(status): _refusal(status) for status in statuses}}


def located(*statuses: int) -> dict[str, Any]:
    """Answers that say where to find what was made."""
    return {"responses": {status: {"headers": ADDRESS} for status in statuses}}


def sent_as(*media_types: str, **headers: Any) -> dict[str, Any]:
    """An answer that is not JSON."""
    content = {media_type: {"schema": {"type": "string"}} for media_type in media_types}
    return {"responses": {int(HTTPStatus.OK): {"content": content, **({"headers": headers} if headers else {})}}}


CONDITIONAL = {"parameters": [IF_MATCH], **may_refuse(HTTPStatus.PRECONDITION_FAILED)}
GIT = may_refuse(HTTPStatus.CONFLICT)  # a repository that is gone, say


def both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two of them."""
    answers = {**one.get("responses", {}), **other.get("responses", {})}
    return {**one, **other, "responses": answers}
