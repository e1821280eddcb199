"""Who asks too much is told when to ask again; others are not held up by it."""

import time
from collections import OrderedDict
from unittest import mock

import pytest
from django.conf import settings
from django.test import Client

from dashboard.api import application, throttling
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests a minute, and nobody has asked yet."""
    monkeypatch.setattr(application.callers, "_spent_at", OrderedDict())
    monkeypatch.setattr(settings, "SPECYARD", settings.SPECYARD.model_copy(update={"api_requests_per_minute": 3}))


def test_a_minutes_requests_at_once_then_one_after_the_other(call: Call, rate: None) -> None:
    now = time.monotonic()
    with mock.patch.object(throttling.time, "monotonic", side_effect=lambda: now):
        assert [call("get", "/settings").status_code for _ in range(4)] == [200, 200, 200, 429]
        reply = call("get", "/settings")
        assert reply["Content-Type"] == "application/problem+json"
        assert reply["Retry-After"] == "20"
        now += 20.0
        assert [call("get", "/settings").status_code for _ in range(2)] == [200, 429]


def test_everybody_has_their_own(call: Call, viewer: Client, rate: None) -> None:
    for _ in range(4):
        last = call("get", "/settings")
    assert last.status_code == 429
    assert caller(viewer)("get", "/settings").status_code == 200


def test_nobody_is_held_up_by_a_rate_of_0(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SPECYARD", settings.SPECYARD.model_copy(update={"api_requests_per_minute": 0}))
    assert {call("get", "/settings").status_code for _ in range(20)} == {200}
