"""The API as a whole: its resources, its document, and how it says what went wrong."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from dashboard import access
from dashboard.api import audit, changes, problems, tokens
from dashboard.api.authentication import LOOKING
from dashboard.api.problems import FieldError, Problem

VERSION = "1"
DESCRIPTION = (
    "Everything that the pages can do. Times are ISO 8601 in UTC, names are snake_case, and every error is a problem "
    "detail after RFC 9457 (`application/problem+json`)."
)
REFERENCE = "#/components/schemas/{model}"
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood.",
    HTTPStatus.UNAUTHORIZED: "Nobody has signed in.",
    HTTPStatus.FORBIDDEN: "Whoever has signed in may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.CONFLICT: "It is not possible in the state that it has now.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
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
CHANGING = {"post", "put", "patch", "delete"}


class Api(NinjaAPI):
    """An API whose document names the problems of every operation."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function, which is unique in the whole API."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """The document, with the problems in it and nothing in a query that could be null."""
        schema = super().get_openapi_schema(**given)
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                for parameter in operation["parameters"]:
                    _cannot_be_null(parameter["schema"])
                for status in _problems_of(method, operation):
                    reference = {"$ref": f"#/components/responses/{_name(status)}"}
                    operation["responses"].setdefault(int(status), reference)
        models = {model.__name__: model.model_json_schema(ref_template=REFERENCE) for model in (FieldError, Problem)}
        for model in models.values():
            model.pop("$defs", None)
        schema["components"].setdefault("schemas", {}).update(models)
        content = {problems.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
        schema["components"]["responses"] = {
            _name(status): {"description": why, "content": content} for status, why in REFUSALS.items()
        }
        return schema


def _name(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "")


def _cannot_be_null(schema: dict[str, Any]) -> None:
    """A query has no null: what may be null there may be left out."""
    if choices := schema.pop("anyOf", None):
        kept = [choice for choice in choices if choice != {"type": "null"}]
        schema.update(kept[0] if len(kept) == 1 else {"anyOf": kept})


def _problems_of(method: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    """The statuses with which an operation may refuse."""
    places = {parameter["in"] for parameter in operation["parameters"]}
    found = list(ALWAYS)
    found += [HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT] if "path" in places else []
    found += [HTTPStatus.CONFLICT] if method in CHANGING else []
    is_checked = "query" in places or "requestBody" in operation
    found += [HTTPStatus.UNPROCESSABLE_ENTITY] if is_checked else []
    found += [HTTPStatus.REQUEST_ENTITY_TOO_LARGE] if "requestBody" in operation else []
    return found


api = Api(
    title="Specyard",
    version=VERSION,
    description=DESCRIPTION,
    urls_namespace="api",
    auth=LOOKING,
    openapi_url="",  # ours are below
)
for error, handler in problems.HANDLERS.items():
    api.add_exception_handler(error, handler)
api.add_router("", changes.router, tags=["changes"])
api.add_router("", tokens.router, tags=["tokens"])
api.add_router("", audit.router, tags=["audit"])


@api.get("/openapi.json", include_in_schema=False, url_name="openapi-json")
def document(request: HttpRequest) -> HttpResponse:
    """This API as an OpenAPI 3.1 document."""
    return JsonResponse(api.get_openapi_schema())


@access.looking()
def documentation(request: HttpRequest) -> HttpResponse:
    """The document as a page on which everything can be tried; nothing of it comes from elsewhere."""
    return Swagger({"persistAuthorization": True, "tryItOutEnabled": True}).render_page(request, api)


def unknown(request: HttpRequest, path: str) -> HttpResponse:
    """What an address of the API that does not exist answers."""
    return problems.problem(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}.")
