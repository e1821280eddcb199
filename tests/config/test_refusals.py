"""What is wrong is said in one sentence that names the place, the key, the value and an example."""

import os
import time
from pathlib import Path

import pytest

from dashboard import config
from dashboard.config import ConfigInvalid
from dashboard.config.files import MOST_BYTES
from tests.config.conftest import Write


def refusal() -> str:
    """Why the settings are refused."""
    with pytest.raises(ConfigInvalid) as caught:
        config.load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[server]\nprot = 1\n", 2, "there is no setting server.prot. Did you mean server.port?"),
        ("port = 1\n", 1, "there is no setting port. Did you mean server.port?"),
        ("data_dir = '/x'\n", 1, "there is no setting data_dir. Did you mean storage.data_dir?"),
        ("\n[servre]\nport = 1\n", 2, "there is no setting servre. Did you mean server?"),
        ("[node]\nmax_workers = 1\n", 2, "there is no setting node.max_workers. Did you mean queue.max_workers?"),
        ("[executors.agnt]\ncount = 1\n", 1, "there is no setting executors.agnt. Did you mean executors.agent?"),
        ("execution.dokcer.image = 'x'\n", 1, "execution.dokcer. Did you mean execution.docker?"),
        ("[execution.docker]\nimages = 'x'\n", 2, "execution.docker.images. Did you mean execution.docker.image?"),
        ("SPECYARD_PORT = 1\n", 1, "Did you mean server.port?"),
        ("[server]\nzzzzqqqq = 1\n", 2, "there is no setting server.zzzzqqqq. `specyard config show` lists all."),
        ("server = 1\n", 1, "server is a section, written [server], and no value."),
        ("[[server]]\nport = 1\n", 1, "server is a section, written [server], and no value."),
        ('[server]\n"a\\u001b[31m" = 1\n', 2, "there is no setting server.a\\x1b[31m."),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(project: Write, text: str, line: int, says: str) -> None:
    path = project(text)
    found = refusal()
    assert found.startswith(f"{path}, line {line}: ")
    assert says in found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nport = 99999\n", "line 2: server.port is 99999: it must be at most 65535. For example: [server]"),
        ("[server]\nport = -1\n", "server.port is -1: it must be at least 0"),
        ("[server]\nport = true\n", "server.port is true: it must be a number, not true or false"),
        ("[server]\nport = nan\n", "server.port is nan: it must be a whole number"),
        ("[server]\nport = inf\n", "server.port is inf: it must be a whole number"),
        ("[server]\nport = 1.5\n", "server.port is 1.5: it must be a whole number"),
        ("[server]\nport = 'many'\n", 'server.port is "many": it must be a whole number'),
        (f"[server]\nport = {10**400}\n", "it must be at most 65535"),
        ("[server]\nport = [1]\n", "server.port is 1: it must be a whole number"),
        ("[server]\nport.x = 1\n", "it must be a whole number"),
        ("[server]\nport = 1979-05-27\n", "it must be a whole number"),
        ("[server]\nhost = 1\n", "server.host is 1: it must be a text, in quotes"),
        ("[server]\nhost = 'a\\u0000b'\n".replace("'", '"'), 'is "a\\x00b": it must be one line without control'),
        ("[server]\nallowed_hosts = [1]\n", "it must be a text, in quotes"),
        ('[server]\nallowed_hosts = ["*"]\n', "it must be a host name without a port"),
        ('[server]\nallowed_hosts = ["yard.example.org:8420"]\n', "it must be a host name without a port"),
        ('[server]\nallowed_hosts = ["*.example.org"]\n', "no * is taken"),
        ('[server]\nallowed_hosts = ["a\\nb"]\n', "it must be one line without control characters"),
        ("[server]\ndebug = 'maybe'\n", "it must be true or false"),
        ("[storage]\ndata_dir = ''\n", "it must name a directory"),
        ("[storage]\ndata_dir = '~nobody-here/x'\n", "it must not begin with the home of a user that is not here"),
        ('[storage]\ndata_dir = "a\\u0000b"\n', "it must be one line without control characters"),
        ("[node]\nname = ''\n", "it must not be empty"),
        ("[execution]\nmode = 'jail'\n", "it must be 'direct', 'sandbox' or 'docker'"),
        ("[execution]\ntime_limit = '1 hour'\n", "it must be a duration such as"),
        ("[execution]\ntime_limit = '1s'\n", "it must be between 10s and 24h"),
        ("[execution]\ntime_limit = nan\n", "it must be a whole number"),
        ("[execution]\nmemory_limit = '4 apples'\n", "it must be a size such as"),
        ("[execution]\nmemory_limit = '1 KiB'\n", "it must be between 64 MiB and 16 TiB"),
        ("[execution]\nmemory_limit = inf\n", "it must be a whole number"),
        (f"[execution]\nmemory_limit = '{'9' * 400} GiB'\n", "it must be a size such as"),
        ("[execution]\ncount = 21\n", "it must be at most 20"),
        ("[execution.docker]\nimage = '--privileged'\n", "is not written as it must be"),
        ("[execution]\nmode = 'docker'\n", "no image is given"),
        ("[database]\nurl = 'mysql://x'\n", "it must be the address of a PostgreSQL"),
        ("[database]\nurl = 'sqlite:x'\n", "an absolute path"),
        ("[redis]\nurl = 'valkey.sock'\n", "it must be the address of a Redis"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_an_example(project: Write, text: str, says: str) -> None:
    project(text)
    found = refusal()
    assert says in found
    assert found.isprintable()
    assert len(found) < 500


def test_the_variable_and_the_flag_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECYARD_EXECUTION__TIME_LIMIT", "soon")
    monkeypatch.setenv("MAX_WORKERS", "9" * 5000)
    config.set_flag("--port", "SPECYARD_PORT", "many")
    port, workers, limit = sorted(refusal().splitlines())
    assert port == '--port is "many": it must be a whole number. For example: --port 8420'
    assert workers.startswith('MAX_WORKERS (queue.max_workers) is "999')
    assert workers.endswith("it must be a whole number. For example: MAX_WORKERS=5")
    assert limit.startswith('SPECYARD_EXECUTION__TIME_LIMIT (execution.time_limit) is "soon": it must be a duration')


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SPECYARD_PROT", "SPECYARD_PORT"),
        ("SPECYARD_HOSTS", "SPECYARD_HOST"),
        ("SPECYARD_DATABASE_URL", "DATABASE_URL"),
        ("SPECYARD_MAX_WORKERS", "MAX_WORKERS"),
        ("SPECYARD_SERVER__PORT", "SPECYARD_PORT"),
        ("SPECYARD_EXECUTION__DOKCER__IMAGE", "SPECYARD_EXECUTION__DOCKER__IMAGE"),
        ("SPECYARD_CONFG", "SPECYARD_CONFIG"),
    ],
)
def test_a_variable_that_looks_like_one_of_ours_is_refused(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    assert refusal() == f"The variable {name} sets nothing. Did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    # Of our own chunks, of our tests, of compose, and of a Kubernetes service that is called specyard.
    [
        *(
            "WORKER",
            "CHUNK",
            "ATTEMPT",
            "WORKSPACE",
            "RUN",
            "FINDINGS_FILE",
            "CHROMIUM",
            "OPENCODE",
            "PROJECTS",
            "SCRIPT",
        ),
        *("SERVICE_HOST", "SERVICE_PORT", "PORT_8420_TCP", "PORT_8420_TCP_ADDR"),
    ],
)
def test_a_variable_of_somebody_else_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SPECYARD_{name}", "x")
    assert config.load().port == 8420


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[server\nport = 1\n", "is not valid TOML: Expected ']' at the end of a table declaration (at line 1"),
        (b"[server]\nport = \n", "(at line 2, column 8)"),
        (b"[server]\nport = 1\nport = 2\n", "the same key or section stands there twice"),
        (b"[server]\nport = 1\n[server]\nhost = 'x'\n", "the same key or section stands there twice"),
        (b"[server]\nport = " + b"9" * 5000, "a number with thousands of digits"),
        (b"[server]\nhost = 'M\xfcnster'\n", "line 2: byte 0xfc is not UTF-8"),
        (b"[server]\nhost = 'a\0b'\n", "is not valid TOML: Found invalid character '\\x00' (at line 2"),
        (b"x = " + b"[" * 100_000, "it is nested too deeply"),
        (b"#" * (10 * 1024 * 1024), "has 10,240 KiB; a file of settings has at most 256 KiB"),
        (b"#" * (MOST_BYTES + 1), "a file of settings has at most 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(project: Write, content: bytes, says: str) -> None:
    path = project("")
    path.write_bytes(content)
    found = refusal()
    assert found.startswith(str(path))
    assert says in found
    assert found.isprintable()


def test_a_byte_order_mark_and_line_ends_of_windows_are_fine(project: Write) -> None:
    project("").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 7\r\n")
    assert config.load().port == 7


def test_what_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, says in (
        (tmp_path, "is a directory; settings are read from a file"),
        (pipe, "is no ordinary file"),
        (tmp_path / "missing.toml", "cannot be read: No such file or directory"),
    ):
        monkeypatch.setenv("SPECYARD_CONFIG", str(path))
        assert refusal().startswith(f"{path} {says}")


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    Path("specyard.toml").symlink_to(tmp_path / "gone")
    assert "cannot be read: No such file or directory" in refusal()


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(project: Write) -> None:
    project("").chmod(0)
    assert "cannot be read: Permission denied" in refusal()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_read_unless_it_is_named(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project("[server]\nport = 1\n")
    os.chown(path, 12345, -1)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert f"{path} belongs to another user" in refusal()
    monkeypatch.setenv("SPECYARD_CONFIG", str(path))
    config.loaded.cache_clear()
    assert config.load().port == 1


def test_everything_that_is_wrong_is_said_at_once_but_no_book(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    project("[server]\n" + "".join(f"x{number} = 1\n" for number in range(100)))
    monkeypatch.setenv("SPECYARD_PROT", "1")
    monkeypatch.setenv("SPECYARD_PORT", "many")
    lines = refusal().splitlines()
    assert lines[0].startswith("The variable SPECYARD_PROT")
    assert (len(lines), lines[-1]) == (21, "… and 82 more.")
    project("[server]\nprot = 1\n")
    assert len(refusal().splitlines()) == 3


def test_a_file_full_of_unknown_keys_is_refused_at_once(project: Write) -> None:
    project("".join(f"k{number} = 1\n" for number in range(20_000)))
    begun = time.monotonic()
    assert refusal().endswith("… and 19980 more.")
    assert time.monotonic() - begun < 10  # each of them looked for by itself would take minutes


def test_a_line_is_named_only_where_it_is_certain(project: Write) -> None:
    path = project('[server]\nhost = """\\\nport = 99999\\\n"""\nport = 99999\n')
    assert refusal().startswith(f"{path}: server.port is 99999")


def test_secrets_do_not_stand_in_what_is_refused(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    project('[database]\nurl = "mysql://root:hid/den@localhost/yard?sslpassword=hidden"\n')
    found = refusal()
    assert 'database.url is "mysql://root:***@localhost/yard?sslpassword=***"' in found
    assert "hid" not in found
    monkeypatch.setenv("SPECYARD_SECRET_KEY", "hidden\n")
    found = refusal()
    assert 'server.secret_key) is "***"' in found
    assert "hid" not in found


@pytest.mark.parametrize(
    "url",
    [
        "host=db password=hidden",
        "redis//:hidden@host",
        "yard:hidden@host/yard",
        "https://yard:hid@den@host",
        "https://host?PGPASSWORD=hidden",
        "x://h?token=" + "hidden" * 30_000,
        "x://h?" + "pass" * 60_000,
    ],
)
def test_a_password_is_hidden_however_the_address_is_wrong(project: Write, url: str) -> None:
    project(f"[redis]\nurl = '{url}'\n")
    assert "hid" not in refusal().partition("redis.url is ")[2]


def test_a_file_with_secrets_should_be_closed_to_others(project: Write) -> None:
    path = project('[server]\nsecret_key = "x"\n[redis]\nurl = "redis://:pass@host"\n')
    assert config.loaded().warnings == []
    path.chmod(0o644)
    config.loaded.cache_clear()
    assert config.loaded().warnings == [
        f"{path} holds server.secret_key and redis.url, and other users can read it. Close it to them: chmod 600 {path}"
    ]
    path.write_text("[server]\nport = 1\n")
    path.chmod(0o646)
    config.loaded.cache_clear()
    assert config.loaded().warnings == [
        f"Every user can write {path}, and so decide what you run. Close it: chmod o-w {path}"
    ]
