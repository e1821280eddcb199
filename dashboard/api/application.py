"""The API as a whole: its resources, its document, and how it says what went wrong."""

import inspect
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from dashboard import access
from dashboard.api import (
    accounts,
    artifacts,
    attempts,
    audit,
    changes,
    conditions,
    demo,
    events,
    idempotency,
    nodes,
    people,
    problems,
    profiles,
    projects,
    queue,
    secrets,
    specs,
    statistics,
    tokens,
    webhooks,
    workers,
    yard,
)
from dashboard.api.authentication import LOOKING
from dashboard.api.bodies import StrictParser
from dashboard.api.document import complete
from dashboard.api.door import PREFIX
from dashboard.api.throttling import PerCaller

VERSION = "1"
SWAGGER = {
    "url": f"{PREFIX}openapi.json",
    "layout": "BaseLayout",
    "deepLinking": True,
    "persistAuthorization": True,
    "tryItOutEnabled": True,
}
DESCRIPTION = (
    "Everything that the pages can do. Times are ISO 8601 in UTC, names are snake_case, and every error is a problem "
    "detail after RFC 9457 (`application/problem+json`)."
)


def named(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around the whole request: says which operation it is, for logs and metrics.

    The operations of one path have one address for Django, which has the name of the first of them.
    """
    name = f"api:{inspect.unwrap(run).__self__.view_func.__name__}"  # an Operation's method

    @wraps(run)
    def naming(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.operation = name  # type: ignore[attr-defined]
        return run(request, *args, **kwargs)

    return naming


class Api(NinjaAPI):
    """An API whose document names the problems of every operation."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function, which is unique in the whole API."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """The document, with what ninja does not know of the operations."""
        schema = super().get_openapi_schema(**{"path_prefix": PREFIX, **given})
        complete(schema)
        return schema

    def create_response(self, request: HttpRequest, data: Any, **given: Any) -> HttpResponse:
        """The answer, with the ETag of a single object."""
        return conditions.tagged(request, data, super().create_response(request, data, **given))


callers = PerCaller()
api = Api(
    title="Specyard",
    version=VERSION,
    description=DESCRIPTION,
    urls_namespace="api",
    auth=LOOKING,
    throttle=[callers],
    parser=StrictParser(),
    openapi_url="",  # ours are below
)
for error, handler in problems.HANDLERS.items():
    api.add_exception_handler(error, handler)
api.add_decorator(idempotency.beginning)
api.add_decorator(idempotency.ending, mode="view")
api.add_decorator(named, mode="view")
for resource in (
    workers,
    events,
    people,
    attempts,
    changes,
    queue,
    yard,
    specs,
    projects,
    profiles,
    nodes,
    statistics,
    tokens,
    webhooks,
    audit,
    secrets,
    artifacts,
    accounts,
    demo,
):
    api.add_router("", resource.router)


@api.get("/openapi.json", include_in_schema=False, url_name="openapi-json")
def document(request: HttpRequest) -> HttpResponse:
    """This API as an OpenAPI 3.1 document."""
    return JsonResponse(api.get_openapi_schema())


@access.looking()
def documentation(request: HttpRequest) -> HttpResponse:
    """The document as a page on which everything can be tried; nothing of it comes from elsewhere."""
    return render(request, "api/docs.html", {"settings": SWAGGER})


@csrf_exempt  # a program is told that there is nothing, whatever it wanted of it
def unknown(request: HttpRequest, path: str) -> HttpResponse:
    """What an address of the API that does not exist answers."""
    return problems.problem(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}.")
