"""What can be asked next about what an operation has answered: links of the OpenAPI document.

They follow from the models. An operation that answers `WorkerOut`, or a page of them, leads to every operation on
`/api/workers/{id}`, because that is where one `WorkerOut` is found; and one that makes a spec leads to what a body with
its number is needed for.

https://spec.openapis.org/oas/v3.1.1.html#link-object
"""

from collections.abc import Iterator
from typing import Any

ONE, FIRST = "$response.body#/id", "$response.body#/items/0/id"
JSON = "application/json"
Found = tuple[str, str, dict[str, Any]]  # path, method, operation


def link(schema: dict[str, Any]) -> None:
    """Add the links to what makes or lists something."""
    operations: list[Found] = [
        (path, method, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    ]
    places = {
        _model(operation["responses"].get(200)): path for path, method, operation in operations if method == "get"
    }
    places = {model: path for model, path in places.items() if model and path.endswith("/{id}")}
    links = schema["components"].setdefault("links", {})
    for path, method, operation in operations:
        for response in operation["responses"].values():
            model = _model(response)
            if method != "get":
                place, number = places.get(model, ""), ONE
            elif listed := _listed(schema, model):
                place, number = places.get(listed, f"{path}/{{id}}"), FIRST
            else:
                continue
            if place in schema["paths"]:
                next_ones = [*_on(place, number, operations), *_with(place, number, operations, schema)]
                names = {f"{name}_of_first" if number == FIRST else name: one for name, one in next_ones}
                links.update(names)
                response["links"] = {name: {"$ref": f"#/components/links/{name}"} for name in names}


def _on(place: str, number: str, operations: list[Found]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those on the object itself."""
    for path, _, operation in operations:
        if path == place or (path.startswith(f"{place}/") and path.count("{") == 1):
            yield operation["operationId"], {"operationId": operation["operationId"], "parameters": {"id": number}}


def _with(
    place: str, number: str, operations: list[Found], schema: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those whose body needs its number, by the name of its kind: `spec` for what is at /api/specs/{id}."""
    kind = place.split("/")[2].removesuffix("s")
    for _, _, operation in operations:
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
        if kind in _resolved(schema, body).get("required", ()):
            yield operation["operationId"], {"operationId": operation["operationId"], "requestBody": {kind: number}}


def _model(response: dict[str, Any] | None) -> str:
    """The name of the model that a response holds; "" for another one."""
    content: dict[str, Any] = (response or {}).get("content", {}).get(JSON, {}).get("schema", {})
    return str(content.get("$ref", "")).rpartition("/")[2]


def _listed(schema: dict[str, Any], model: str) -> str:
    """The name of the model of which a page holds some."""
    items = schema["components"]["schemas"].get(model, {}).get("properties", {}).get("items", {})
    return str(items.get("items", {}).get("$ref", "")).rpartition("/")[2]


def _resolved(schema: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["components"]["schemas"].get(str(one.get("$ref", "")).rpartition("/")[2], one)
    return found
