"""The demo, for an empty yard."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from dashboard import demo
from dashboard.api.authentication import ACTING
from dashboard.api.spec_shapes import SpecSummary

router = Router(tags=["projects"])


class DemoOut(Schema):
    """The specs of the demo."""

    specs: list[SpecSummary]
    is_new: bool = Field(description="Whether any of it was missing before.")


@router.post("/demo", auth=ACTING, response=DemoOut, summary="Set up the demo")
def create_demo(request: HttpRequest) -> DemoOut:
    """Make three small repositories on the machine of the server and import their specs.

    What is there already stays as it is. 409 where a program is missing that they need.
    """
    try:
        made = demo.set_up(settings.SPECYARD.data / "demo")
    except demo.DemoRefused as refusal:
        raise HttpError(HTTPStatus.CONFLICT, str(refusal)) from refusal
    return DemoOut(specs=[SpecSummary.of(spec) for spec in made.specs], is_new=made.is_new)
