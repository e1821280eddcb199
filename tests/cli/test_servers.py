"""The commands on a server: the same answers as on its database, and what happens when it refuses or is not there."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from dashboard.models import AuditEntry, Scope
from queue_app import dispatch
from tests.cli.conftest import token_for
from tests.cli.support import Done, Specyard
from tests.support import make
from tests.support.driving import now
from tests.support.web import Web
from workers.models import Attempt, Node, Worker

CHANGES = {"duration", "load", "memory", "last_seen_at"}  # from one look to the next
READING = [
    ["workers", "list"],
    ["workers", "list", "--status", "stopped", "--limit", "1"],
    ["workers", "show", "{worker}"],
    ["queue", "list"],
    ["nodes", "list"],
]


@pytest.fixture
def worker(node: Node) -> Worker:
    """One that runs, beside one that has ended and one that waits."""
    make.worker().stopped("mira")
    Node.objects.update(max_workers=2)
    found = make.worker("true", title="Größe <b>ß</b> [bold]")
    running = Worker.claim(found.pk, found.epoch)
    assert running
    Attempt.open(running, running.chunks.get())
    dispatch.pause_queue("mira")
    dispatch.enqueue(make.spec(), by="mira")
    return running


def lasting(value: Any) -> Any:
    """Without what another moment changes."""
    if isinstance(value, dict):
        return {name: lasting(one) for name, one in value.items() if name not in CHANGES}
    return [lasting(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_server_says_the_same_as_its_database(
    specyard: Specyard, remote: Specyard, worker: Worker, words: list[str]
) -> None:
    words = [word.format(worker=worker.pk) for word in words]
    here, there = (one.good(*words, "--json").document for one in (specyard, remote))
    assert lasting(here) == lasting(there)
    assert here
    assert remote.good(*words).out.splitlines()[0] == specyard.good(*words).out.splitlines()[0]


def test_a_server_refuses_the_same_in_the_same_words(specyard: Specyard, remote: Specyard, worker: Worker) -> None:
    for words in (
        ["workers", "show", "4711"],
        ["workers", "pause", "4711"],
        ["queue", "remove", "4711"],
        ["queue", "add", "nonsense"],
        ["nodes", "drain", "nowhere"],
        ["workers", "list", "--project", "mill"],
    ):
        for more in ([], ["--json"]):
            here, there = specyard(*words, *more), remote(*words, *more)
            assert here == there
            assert here.code == 3


def test_what_is_asked_of_a_server_is_asked_by_the_tokens_account(remote: Specyard, worker: Worker) -> None:
    assert remote.good("workers", "pause", worker.pk).out == f"Worker {worker.pk} is asked to pause.\n"
    assert now(worker).desired_by == "boss"
    (entry,) = AuditEntry.objects.filter(action="worker.pause")
    assert (entry.source, entry.actor) == ("api", "boss")


def with_token(remote: Specyard, token: str, *words: str) -> Done:
    return remote(*words, SPECYARD_TOKEN=token)


def test_tokens_that_do_not_work(remote: Specyard) -> None:
    gone = timezone.now() - timedelta(hours=1)
    for token in (
        "specyard_wrong",
        token_for(expires_at=gone),
        token_for(revoked_at=gone),
    ):
        done = with_token(remote, token, "workers", "list")
        assert (done.code, done.out) == (5, "")
        assert done.err.startswith("\nspecyard: This token does not work")
        assert with_token(remote, token, "workers", "list", "--json").problem["status"] == 401


def test_a_token_may_do_what_its_scope_and_role_allow(remote: Specyard, worker: Worker) -> None:
    reading = token_for("vera", Scope.READ, staff=False)
    assert with_token(remote, reading, "workers", "list").code == 0
    refused = with_token(remote, reading, "workers", "pause", str(worker.pk))
    assert (refused.code, "Only operators may do this." in refused.err) == (5, True)
    acting = token_for("boss", Scope.ACT)
    assert with_token(remote, acting, "workers", "pause", str(worker.pk)).code == 0
    assert with_token(remote, acting, "nodes", "drain", "test-node").code == 5
    assert now(worker).node.status == "online"


def test_the_token_may_stand_in_a_file_that_is_private(remote: Specyard, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token_for() + "\n")
    file.chmod(0o640)
    words = ("workers", "list", "--token-file", str(file))
    refused = remote(*words, SPECYARD_TOKEN="")
    assert (refused.code, f"chmod 600 {file}" in refused.err) == (2, True)
    file.chmod(0o600)
    assert remote(*words, SPECYARD_TOKEN="specyard_wrong").code == 0
    assert remote("workers", "list", SPECYARD_TOKEN="", SPECYARD_TOKEN_FILE=str(file)).code == 0


@pytest.mark.parametrize("content", ["", "two words", "gr\u00fcn", "a\r\nX-Evil: 1", "x" * 2000], ids=repr)
def test_what_is_no_token_is_not_sent(specyard: Specyard, tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(0o600)
    done = specyard("workers", "list", "--server", "http://127.0.0.1:9", "--token-file", str(file))
    assert (done.code, "--token-file" in done.err) == (2, True)


def test_a_server_needs_a_token(specyard: Specyard) -> None:
    done = specyard("workers", "list", "--server", "http://127.0.0.1:9")
    assert (done.code, "a token is needed" in done.err) == (2, True)


@pytest.mark.parametrize(
    "server", ["yard", "ftp://yard", "http://", "http://a:b@yard", "http://yard:x", "http://yard/?q", "http://y\nx"]
)
def test_what_is_no_address(specyard: Specyard, server: str) -> None:
    done = specyard("workers", "list", "--server", server, SPECYARD_TOKEN="specyard_x")
    assert (done.code, "--server: must be an address" in done.err) == (2, True)


def test_nobody_at_the_port(specyard: Specyard) -> None:
    done = specyard("workers", "list", "--server", "http://127.0.0.1:9", SPECYARD_TOKEN="specyard_x")
    assert (done.code, done.out) == (6, "")
    assert done.err == "\nspecyard: http://127.0.0.1:9 cannot be reached: Connection refused.\n"


class Answers(BaseHTTPRequestHandler):
    """Answers as it was told and notes what it was asked."""

    status: ClassVar[int] = 200
    headers_sent: ClassVar[dict[str, str]] = {}
    body: ClassVar[bytes] = b""
    asked: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        self.send_response(self.status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def server(context: ssl.SSLContext | None = None, **facts: Any) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that is no Specyard: its address, and what it is asked."""
    handler = type("Handler", (Answers,), {"asked": [], **facts})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context:
        http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{http.server_port}", handler.asked  # type: ignore[attr-defined]
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def ask(specyard: Specyard, address: str, **changes: str) -> Done:
    return specyard("workers", "list", "--server", address, SPECYARD_TOKEN="specyard_secret", **changes)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_token_does_not_follow_a_redirection(specyard: Specyard, status: int) -> None:
    with (
        server() as (elsewhere, asked),
        server(status=status, headers_sent={"Location": elsewhere}) as (address, first),
    ):
        done = ask(specyard, address)
    assert (done.code, asked) == (2, [])
    assert f"sends on to {elsewhere}" in done.err
    assert first[0]["authorization"] == "Bearer specyard_secret"
    assert first[0]["path"] == "/api/workers?limit=20"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(200, b"<html>", 1), (404, b"<html>", 1), (502, b"<html>", 6), (503, b"", 6), (500, b"oops", 1), (429, b"{}", 4)],
)
def test_what_is_no_specyard(specyard: Specyard, status: int, body: bytes, code: int) -> None:
    with server(status=status, body=body) as (address, _):
        assert ask(specyard, address).code == code


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b"", b"7", b'{"items": 1, "next": null}', b'{"items": [{"id": 1}], "next": null}']
)
def test_what_makes_no_sense_is_told(specyard: Specyard, body: bytes) -> None:
    with server(body=body) as (address, _):
        done = ask(specyard, address)
    assert (done.code, done.out) == (1, "")
    assert f"What {address} answers makes no sense to this version" in done.err


def test_what_was_done_is_told_also_when_the_server_goes_away(specyard: Specyard) -> None:
    def spec(self: Answers) -> None:
        type(self).body = json.dumps({"id": int(self.path.rpartition("/")[2])}).encode()
        Answers.do_GET(self)

    def once(self: Answers) -> None:
        """Answer the first, and break off at all that follow."""
        if any(asked["path"] == "/api/queue" for asked in self.asked):
            self.connection.close()
            return
        type(self).body = b'{"id": 7, "title": "Cart", "project": {"name": "shop"}}'
        Answers.do_GET(self)

    with server(do_GET=spec, do_POST=once) as (address, _):
        done = specyard("queue", "add", "1", "2", "--server", address, SPECYARD_TOKEN="specyard_secret")
    assert (done.code, done.out) == (6, "Worker 7 has started: shop / Cart\n")
    assert done.err.startswith(f"2: {address} broke off")


def test_words_of_a_server_are_not_obeyed(specyard: Specyard) -> None:
    body = b'{"detail": "\\u001b]0;evil\\u0007 \\u009b2J no\\u202e\\nspecyard: All is well."}'
    with server(status=409, body=body) as (address, _):
        done = ask(specyard, address)
    assert done.code == 4
    assert not set(done.err) & set("\x1b\x07\x9b\u202e")
    assert done.err.count("\n") == 2  # nothing that it says stands on a line of its own


def test_a_proxy_does_not_get_a_token_that_it_could_read(specyard: Specyard) -> None:
    with server() as (proxy, asked), server(body=b'{"items": [], "next": null}') as (address, _):
        assert ask(specyard, address, http_proxy=proxy, HTTP_PROXY=proxy).code == 0
    assert asked == []


def certified(directory: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that nobody has signed but its owner."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(timezone.now() - timedelta(days=1)).not_valid_after(
        timezone.now() + timedelta(days=1)
    )
    signed = builder.add_extension(names, critical=True).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = directory / "certificate.pem"
    file.write_bytes(key.private_bytes(*pem) + signed.public_bytes(serialization.Encoding.PEM))
    return file


def test_certificates_are_checked(specyard: Specyard, tmp_path: Path) -> None:
    certificate = certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with server(context, body=b'{"items": [], "next": null}') as (address, asked):
        refused = ask(specyard, address)
        assert (refused.code, asked) == (6, [])
        assert "certificate cannot be trusted" in refused.err
        assert ask(specyard, address, SSL_CERT_FILE=str(certificate)).code == 0
    assert len(asked) == 1


def test_a_token_over_http_to_elsewhere_is_warned_of(specyard: Specyard) -> None:
    done = ask(specyard, "http://yard.invalid")
    assert done.code == 6
    assert "everybody on the way can read the token" in done.err


def test_cleaning_up_is_for_this_machine(remote: Specyard, web: Web) -> None:
    done = remote("workers", "cleanup", "--force")
    assert (done.code, "SPECYARD_SERVER names another" in done.err) == (2, True)
