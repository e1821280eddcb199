"""What is made of the configuration: the names that pages answer to, and the key that signs."""

import secrets
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.config import Config
from tests.up.support import Up

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("host", "further", "allowed"),
    [
        ("127.0.0.1", "", ["127.0.0.1"]),
        ("192.168.1.7", "", ["192.168.1.7"]),
        ("fd00:0::7", "", ["[fd00::7]"]),
        ("yard.lan", " yard.example.org, ", ["yard.lan", "yard.example.org"]),
        ("127.0.0.1", ".example.org,[fd00::7]", ["127.0.0.1", ".example.org", "[fd00::7]"]),
        ("0.0.0.0", "", []),
        ("::", "", []),
        ("0:0::0", "yard.lan", ["yard.lan"]),
        ("*", "", []),
        ("", "", []),
    ],
)
def test_pages_answer_to_the_address_that_they_are_bound_to_and_never_to_any(
    host: str, further: str, allowed: list[str]
) -> None:
    assert Config(host=host, allowed_hosts=further).hosts == LOOPBACK + allowed


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_a_yard_on_another_address_answers_there_and_to_no_name_that_somebody_pointed_to_it(
    start: Callable[..., Up],
) -> None:
    place = urlsplit(start(SPECYARD_HOST="127.0.0.2").is_ready().address)
    assert place.hostname == "127.0.0.2"
    assert status(place.netloc, host=place.netloc) == 200
    assert status(place.netloc, host=f"rebound.example:{place.port}") == 400


def status(address: str, host: str) -> int:
    connection = HTTPConnection(address, timeout=30)
    connection.request("GET", "/sign-in", headers={"Host": host})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_two_processes_that_make_the_secret_key_at_once_use_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(secret_key="", data_dir=tmp_path / "yard")
    keys, make = [], secrets.token_urlsafe

    def while_another_makes_it(length: int) -> str:
        monkeypatch.setattr(secrets, "token_urlsafe", make)
        keys.append(config.signing_key())
        return make(length)

    monkeypatch.setattr(secrets, "token_urlsafe", while_another_makes_it)
    keys.append(config.signing_key())
    assert keys[0] == keys[1]
    assert len(keys[0]) > 50
    assert [path.name for path in (tmp_path / "yard").iterdir()] == ["secret.key"]
    assert (tmp_path / "yard" / "secret.key").stat().st_mode & 0o077 == 0
