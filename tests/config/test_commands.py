"""`specyard config`, and how every command refuses settings that are wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.config.keys import all_keys
from tests.config.conftest import Write
from tests.up.support import SPECYARD, run

ROOT = Path(__file__).resolve().parents[2]
SECRETS = '[server]\nsecret_key = "hidden"\n[database]\nurl = "postgresql://yard:hidden@host/yard?sslpassword=hidden"\n'


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "SPECYARD_DATA_DIR": str(tmp_path / "data")}


def setting(environment: dict[str, str], key: str, *words: str) -> dict[str, object]:
    """One setting as `config show --json` tells it."""
    shown = run(environment, "config", "show", key, "--json", *words)
    assert shown.returncode == 0, shown.stderr
    (found,) = json.loads(shown.stdout)["settings"]
    return dict(found)


def test_init_writes_an_example_once(environment: dict[str, str]) -> None:
    path = Path("specyard.toml").absolute()
    done = run(environment, "config", "init")
    assert (done.returncode, done.stdout) == (0, f"Wrote {path}. Take the # from what you want to change.\n")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("[server]\nport = 1\n")
    again = run(environment, "config", "init")
    assert (again.returncode, again.stdout) == (2, "")
    assert f"{path} is there already. To replace it: --force" in again.stderr
    assert path.read_text() == "[server]\nport = 1\n"
    assert run(environment, "config", "init", "--force").returncode == 0
    assert path.read_text().startswith("# Settings of Specyard.")
    assert list(Path().iterdir()) == [Path("specyard.toml")]


def test_init_writes_the_users_file_with_its_directory(environment: dict[str, str]) -> None:
    assert run(environment, "config", "init", "--user").returncode == 0
    shown = json.loads(run(environment, "config", "show", "--json").stdout)
    assert [Path(path).name for path in shown["files"]] == ["specyard.toml"]
    assert not Path("specyard.toml").exists()


def test_init_says_why_it_cannot_write(environment: dict[str, str]) -> None:
    refused = run({**environment, "XDG_CONFIG_HOME": "/dev/null", "HOME": "/dev/null"}, "config", "init", "--user")
    assert refused.returncode == 1
    assert "specyard.toml cannot be written: Not a directory." in refused.stderr


def test_show_tells_each_value_and_where_it_comes_from(environment: dict[str, str], project: Write) -> None:
    path = project('[server]\nport = 1\n[execution]\ntime_limit = "45m"\n')
    shown = run({**environment, "MAX_WORKERS": "3"}, "config", "show")
    assert shown.returncode == 0, shown.stderr
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in shown.stdout.splitlines()}
    assert rows["server.port"] == f"1 {path}"
    assert rows["queue.max_workers"] == "3 MAX_WORKERS"
    assert rows["server.host"] == "127.0.0.1 default"
    assert rows["executors.agent.time_limit"] == f"45m execution.time_limit ({path})"
    assert rows["storage.data_dir"] == f"{environment['SPECYARD_DATA_DIR']} SPECYARD_DATA_DIR"
    assert rows["database.url"] == f"sqlite:///{environment['SPECYARD_DATA_DIR']}/specyard.sqlite3 default"
    assert rows["redis.url"].startswith("unix://")


def test_show_tells_one_setting_or_one_section(environment: dict[str, str]) -> None:
    found = setting(environment, "execution.time_limit")
    assert found == {
        "key": "execution.time_limit",
        "value": 1800,
        "kind": "default",
        "source": "default",
        "variable": "SPECYARD_EXECUTION__TIME_LIMIT",
    }
    section = run(environment, "config", "show", "node").stdout.splitlines()
    assert [line.split()[0] for line in section] == ["SETTING", "node.name", "node.spare_workspaces"]
    wrong = run(environment, "config", "show", "server.prot")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "There is no setting server.prot. Did you mean server.port?" in wrong.stderr


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_show_hides_secrets(environment: dict[str, str], project: Write, words: list[str]) -> None:
    project(SECRETS)
    shown = run({**environment, "REDIS_URL": "redis://:hidden@host"}, "config", "show", *words)
    assert shown.returncode == 0, shown.stderr
    assert "hidden" not in shown.stdout + shown.stderr
    for text in ("postgresql://yard:***@host/yard?sslpassword=***", "redis://:***@host"):
        assert text in shown.stdout


def test_show_reads_the_file_of_a_flag(environment: dict[str, str], project: Write, tmp_path: Path) -> None:
    project("[server]\nport = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 2\n")
    found = setting(environment, "server.port", "--config", "../other.toml")
    assert (found["value"], found["source"]) == (2, str(other))


def test_show_warns_of_what_others_may_read_and_of_modes_that_are_missing(
    environment: dict[str, str], project: Write
) -> None:
    project(SECRETS + "[execution]\nmode = 'sandbox'\n").chmod(0o644)
    shown = run(environment, "config", "show")
    assert shown.returncode == 0
    assert "holds server.secret_key and database.url, and other users can read it" in shown.stderr
    assert 'execution.mode is "sandbox": this version cannot do that yet' in shown.stderr


def test_show_fits_the_terminal(environment: dict[str, str], project: Write) -> None:
    project(f"[storage]\ndata_dir = '/{'long/' * 30}'\n")
    shown = run({**environment, "COLUMNS": "80"}, "config", "show")
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(line.startswith(key.name) for line in lines) for key in all_keys())


def test_whoever_sets_what_nothing_heeds_is_told(environment: dict[str, str], project: Write) -> None:
    path = project('[execution]\nmemory_limit = "1 GiB"\ntime_limit = "1h"\n[executors.agent]\ncount = 2\n')
    shown = run({**environment, "SPECYARD_EXECUTION__DOCKER__IMAGE": "alpine"}, "config", "show", "server.port")
    named = ["execution.docker.image (SPECYARD_EXECUTION__DOCKER__IMAGE)"]
    named += [f"{key} ({path})" for key in ("execution.memory_limit", "executors.agent.count")]
    (line,) = shown.stderr.splitlines()
    assert line.startswith("  ! Nothing in this version heeds ")
    assert line.endswith(" yet.")
    assert sorted(line[len("  ! Nothing in this version heeds ") : -len(" yet.")].split(", ")) == named
    assert "heeds" not in run({**environment, "SPECYARD_CONFIG": os.devnull}, "config", "show", "server.port").stderr


@pytest.mark.parametrize("command", ["up", "node", "web", "import .", "demo", "sign-in", "config show"])
def test_every_command_refuses_wrong_settings_in_sentences(
    environment: dict[str, str], project: Write, command: str
) -> None:
    path = project("[server]\nprot = 1\n")
    refused = run(environment, *command.split())
    assert refused.returncode == 2
    assert f"specyard: {path}, line 2: there is no setting server.prot. Did you mean server.port?" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not Path(environment["SPECYARD_DATA_DIR"]).exists()


@pytest.mark.parametrize(
    "words",
    [[str(ROOT / "manage.py"), "check"], ["-P", "-m", "dashboard.cli.health", "web"]],
    ids=["manage.py", "health"],
)
def test_other_programs_do_too(environment: dict[str, str], project: Write, words: list[str]) -> None:
    project("[server]\nport = 'many'\n")
    command = [sys.executable, *words]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == (2 if "check" in words else 1)
    assert 'line 2: server.port is "many": it must be a whole number' in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["up", "node", "web"])
def test_nothing_starts_in_a_mode_that_does_not_exist(
    environment: dict[str, str], project: Write, command: str
) -> None:
    project("[executors.agent]\nmode = 'sandbox'\n")
    refused = run(environment, command)
    assert refused.returncode == 2
    assert 'executors.agent.mode is "sandbox": this version cannot do that yet.' in refused.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--port many", '--port is "many": it must be a whole number. For example: --port 8420'),
        ("--max-workers -1", '--max-workers is "-1": it must be at least 0'),
        ("--host ''", "--host needs a value."),
        ("--config missing.toml", "missing.toml cannot be read: No such file or directory."),
        ("--config ''", "--config needs a value."),
        ("--data-dir ''", "--data-dir needs a value."),
    ],
)
def test_a_wrong_flag_is_named(environment: dict[str, str], flags: str, says: str) -> None:
    refused = run(environment, "up", *[word.strip("'") for word in flags.split()])
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--version"], ["pydantic", "django", "platformdirs"]),
        (["config", "--help"], ["pydantic", "django"]),
        (["config", "show"], ["django", "celery", "acp"]),
    ],
    ids=" ".join,
)
def test_quick_commands_import_little(environment: dict[str, str], words: list[str], absent: list[str]) -> None:
    command = [SPECYARD[0], "-X", "importtime", *SPECYARD[1:], *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert imported & set(absent) == set()
