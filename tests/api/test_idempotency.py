"""A request that is sent again because its answer was lost does its work once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from dashboard.api import idempotency
from dashboard.models import ApiToken, KeptAnswer
from specs.models import Project
from tests.api.conftest import Call, Together, caller

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"name": "website", "directory": "/tmp"}


def post(call: Call, key: str, body: Any = BODY, path: str = "/projects") -> HttpResponse:
    return call("post", path, body, headers={"Idempotency-Key": key})


def later(by: timedelta) -> None:
    """Let time pass for what is kept."""
    for answer in KeptAnswer.objects.all():
        KeptAnswer.objects.filter(pk=answer.pk).update(begun_at=answer.begun_at - by)


def test_the_first_answer_is_given_again(call: Call) -> None:
    first, again = post(call, "k1"), post(call, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, again["Location"], again["Content-Type"]) == (
        first.content,
        first["Location"],
        first["Content-Type"],
    )
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Project.objects.count() == 1
    assert post(call, '"k1"').content == first.content  # as a string of a structured field


def test_a_key_is_for_one_request(call: Call) -> None:
    post(call, "k1")
    for body, path in (({**BODY, "name": "other"}, "/projects"), (BODY, "/profiles")):
        reply = post(call, "k1", body, path)
        assert (reply.status_code, reply.json()["errors"][0]["field"]) in ((422, "Idempotency-Key"), (422, "title"))
    assert Project.objects.count() == 1


def test_keys_are_everybodys_own(call: Call, admin: Client) -> None:
    post(call, "k1")
    assert post(caller(admin), "k1", {**BODY, "name": "other"}).status_code == 201


def test_what_was_refused_may_be_tried_again(call: Call) -> None:
    assert post(call, "k1", {**BODY, "directory": "/nowhere"}).status_code == 422
    assert post(call, "k1").status_code == 201


def test_a_request_that_is_under_way_is_not_begun_again(call: Call) -> None:
    post(call, "k1")
    KeptAnswer.objects.update(code=None)
    reply = post(call, "k1")
    assert (reply.status_code, reply["Content-Type"]) == (409, "application/problem+json")
    later(idempotency.UNDER_WAY)  # it has died
    Project.objects.all().delete()
    assert post(call, "k1").status_code == 201


def test_what_broke_does_not_hold_the_key(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.raise_request_exception = False
    call = caller(operator)
    with monkeypatch.context() as broken:
        broken.setattr(Project, "save", lambda *_, **__: 1 / 0)
        assert post(call, "k1").status_code == 500
    assert post(call, "k1").status_code == 201


def test_answers_are_kept_for_a_day(call: Call) -> None:
    post(call, "k1")
    later(idempotency.KEPT)
    Project.objects.all().delete()
    assert "Idempotent-Replayed" not in post(call, "k1")
    assert KeptAnswer.objects.count() == 1


def test_a_key_ends_with_its_day_however_many_do(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    post(call, "k1")
    later(idempotency.KEPT + timedelta(seconds=1))
    Project.objects.all().delete()
    monkeypatch.setattr(idempotency, "FORGOTTEN_AT_ONCE", 0)  # others are older
    assert post(call, "k1", {**BODY, "name": "other"}).status_code == 201


def test_what_was_done_is_said_also_when_it_cannot_be_kept(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(idempotency, "_keep", busy)
    assert post(call, "k1").status_code == 201
    assert Project.objects.count() == 1


def test_secrets_are_not_kept(call: Call) -> None:
    body = {"name": "mine", "scope": "read"}
    first = post(call, "k1", body, "/tokens")
    assert first.status_code == 201, first.content
    again = post(call, "k1", body, "/tokens")
    assert again.status_code == 409
    assert ApiToken.objects.count() == 1
    assert KeptAnswer.objects.get().body is None


@pytest.mark.parametrize("key", ["", " ", '""', "x" * 256, "ü"])
def test_a_key_that_is_none_is_refused(call: Call, key: str) -> None:
    reply = post(call, key)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_of_many_at_once_one_does_it(together: Together) -> None:
    found = {reply.status_code for reply in together(lambda call, _: post(call, "k1"))}
    assert found <= {201, 409}
    assert 201 in found
    assert Project.objects.count() == 1
