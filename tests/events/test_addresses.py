"""Where webhooks may go, and that this is decided of the address that is connected to."""

import socket
from typing import Any

import pytest

from dashboard.webhooks import addresses
from dashboard.webhooks.posting import Undelivered, post
from tests.support.receiver import Receiver

EVERYWHERE = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
NEARBY = ("127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "fd12::1", "100.64.0.1", "::ffff:127.0.0.1")
CREDENTIALS = (
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
)
NOWHERE = ("0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1")


@pytest.mark.parametrize(
    ("targets", "allowed"),
    [("public", EVERYWHERE), ("private", EVERYWHERE + NEARBY), ("any", EVERYWHERE + NEARBY + CREDENTIALS)],
)
def test_what_is_allowed(targets: str, allowed: tuple[str, ...]) -> None:
    found = [ip for ip in EVERYWHERE + NEARBY + CREDENTIALS + NOWHERE if not addresses.refusal(ip, targets)]
    assert found == list(allowed)


def test_a_name_is_judged_by_the_address_behind_it(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names that change between the look and the connection (DNS rebinding) gain nothing: it is looked up once."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        own = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        bad = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]
        return bad if host == "metadata.example" else bad + own

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(Undelivered, match=r"169\.254\.169\.254 is a link-local address"):
        post(f"http://metadata.example:{port}/", b"", {}, seconds=2, targets="private")
    assert post(f"http://mixed.example:{port}/", b"{}", {}, seconds=2, targets="private").status == 200
    assert asked == ["metadata.example", "mixed.example"]
    assert receiver.received[0].headers["host"] == f"mixed.example:{port}"
    with pytest.raises(Undelivered):
        post(f"http://mixed.example:{port}/", b"", {}, seconds=2, targets="public")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "localhost"])
def test_other_spellings_are_the_same_address(host: str, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(Undelivered, match="is not a public address"):
        post(f"http://{host}:{port}/", b"", {}, seconds=2, targets="public")
    assert receiver.received == []


def test_nobody_at_home_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Undelivered, match="ConnectionRefusedError"):
        post(f"http://127.0.0.1:{port}/", b"", {}, seconds=2, targets="private")
