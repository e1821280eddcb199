"""Flags of `specyard up` are stronger than all else, and its child processes have them."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.up.support import Up, get, python
from tests.up.test_config import status


def test_flags_reach_everything_that_is_started(
    start: Callable[..., Up], environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "yard.toml"
    file.write_text('[queue]\nmax_workers = 2\n[server]\nallowed_hosts = ["yard.example.org"]\n')
    flags = f"--config {file} --data-dir {environment['SPECYARD_DATA_DIR']} --max-workers 7 --port 0"
    wrong = {"SPECYARD_PORT": "1", "SPECYARD_CONFIG": "/nowhere.toml", "MAX_WORKERS": "3"}
    up = start(f"up {flags}", **wrong).is_ready()
    assert f"{file}\n" in up.hears(r"✓ configuration .*\n")[0]
    assert not up.address.endswith(":1")
    assert get(f"{up.address}/healthz")[0] == 200
    assert python(environment, LIMIT) == "7"
    assert status(urlsplit(up.address).netloc, host="yard.example.org") == 200  # so says the file, to the web server


def test_the_limit_of_a_flag_counts_at_every_start_and_the_setting_at_the_first(
    start: Callable[..., Up], environment: dict[str, str]
) -> None:
    for command, variables, limit in (
        ("up", {"MAX_WORKERS": "2"}, "2"),
        ("up --max-workers 7", {"MAX_WORKERS": "3"}, "7"),
        ("up", {"MAX_WORKERS": "4"}, "7"),
    ):
        up = start(command, **variables).is_ready()
        assert python(environment, LIMIT) == limit
        assert up.interrupt() == 0


LIMIT = "from queue_app.models import Yard; print(Yard.current().limit)"
