"""Which source of a setting is stronger, and what holds for an executor."""

import os
from pathlib import Path

import pytest

from dashboard import config
from dashboard.config.keys import Key, all_keys, by_name
from dashboard.config.model import Config
from dashboard.config.words import plain, toml
from tests.config.conftest import Write


def test_each_layer_is_stronger_than_the_one_before_it(
    user: Write, project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def now() -> tuple[int, str]:
        config.loaded.cache_clear()
        return config.load().port, str(config.loaded().source_of("server.port"))

    assert now() == (8420, "default")
    path = user("[server]\nport = 1\n")
    assert now() == (1, str(path))
    path = project("[server]\nport = 2\n")
    assert now() == (2, str(path))
    monkeypatch.setenv("SPECYARD_PORT", "3")
    assert now() == (3, "SPECYARD_PORT")
    config.set_flag("--port", "SPECYARD_PORT", "4")
    assert now() == (4, "--port")
    assert os.environ["SPECYARD_PORT"] == "4"  # for child processes


def test_each_setting_is_looked_for_by_itself(user: Write, project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    user('[server]\nport = 1\nhost = "10.0.0.1"\n[executors.agent]\ncount = 2\ntime_limit = "1h"\n')
    project("[server]\nport = 2\n[executors.agent]\ncount = 3\n")
    monkeypatch.setenv("SPECYARD_EXECUTORS__AGENT__MEMORY_LIMIT", "1 GiB")
    found = config.load()
    agent = found.executors["agent"]
    assert (found.port, found.host) == (2, "10.0.0.1")
    assert (agent.count, agent.time_limit, agent.memory_limit) == (3, 3600, 2**30)


@pytest.mark.parametrize("key", [key for key in all_keys() if key.example is not None], ids=lambda key: key.name)
def test_every_setting_is_read_from_a_file_and_from_its_variable(
    key: Key, project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its example is valid, and is what a file and the variable set."""
    section = f"[{key.section}]\n" if key.section else ""
    project(f"{section}{key.short} = {toml(key.example)}\n")
    by_file = config.load().model_dump()
    assert config.loaded().source(key).kind == "file"
    Path("specyard.toml").unlink()
    monkeypatch.setenv(key.variable, plain(key.example))
    config.loaded.cache_clear()
    assert config.load().model_dump() == by_file
    assert config.loaded().source(key).kind == "environment"


def test_variables_that_were_there_before_there_were_files_have_their_names() -> None:
    names = {"database.url": "DATABASE_URL", "redis.url": "REDIS_URL", "queue.max_workers": "MAX_WORKERS"}
    names |= {"node.name": "SPECYARD_NODE_NAME", "storage.data_dir": "SPECYARD_DATA_DIR"}
    names |= {"execution.docker.image": "SPECYARD_EXECUTION__DOCKER__IMAGE"}
    assert {name: by_name()[name].variable for name in names} == names


def test_no_two_settings_share_a_name_or_a_variable() -> None:
    for names in ([key.name for key in all_keys()], [key.variable for key in all_keys()]):
        assert len(set(names)) == len(names)


def test_an_empty_variable_counts_as_none(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    project('[server]\nsecret_key = "from the file"\n')
    monkeypatch.setenv("SPECYARD_SECRET_KEY", "")
    assert config.load().signing_key() == "from the file"


def test_a_named_file_is_read_instead_of_the_others(
    user: Write, project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user("[server]\nport = 1\n")
    project("[server]\nport = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("[queue]\nmax_workers = 7\n")
    monkeypatch.setenv("SPECYARD_CONFIG", str(other))
    assert (config.load().port, config.load().max_workers) == (8420, 7)
    assert list(config.loaded().files) == [other]
    monkeypatch.setenv("SPECYARD_CONFIG", os.devnull)
    config.loaded.cache_clear()
    assert config.load().max_workers == 5


def test_a_relative_path_in_a_file_starts_at_the_file(user: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = user('[storage]\ndata_dir = "data"\n')
    assert config.load().data == path.parent / "data"
    config.loaded.cache_clear()
    monkeypatch.setenv("SPECYARD_DATA_DIR", "data")
    assert config.load().data == Path.cwd() / "data"


def test_the_other_files_count_when_the_working_directory_is_gone(user: Write, tmp_path: Path) -> None:
    user("[server]\nport = 1\n")
    (tmp_path / "yard").rmdir()
    assert config.load().port == 1


def test_what_an_executor_says_comes_before_its_mode_and_that_before_all() -> None:
    found = Config(
        execution={"time_limit": "1m", "count": 2, "direct": {"time_limit": "2m"}, "docker": {"image": "alpine"}},
        executors={"agent": {"time_limit": "3m"}, "command": {"mode": "docker", "memory_limit": "1 GiB"}},
    )
    assert found.time_limit_of("agent") == 180
    assert found.time_limit_of("command") == 60
    assert found.time_limit_of("of another package") == 120
    assert found.said("command", "image") == (("execution", "docker", "image"), "alpine")
    assert found.said("command", "memory_limit")[1] == 2**30
    assert found.said("agent", "count") == (("execution", "count"), 2)


def test_a_mode_that_the_runner_does_not_have_is_out_of_reach() -> None:
    assert config.out_of_reach(Config()) == []
    wanted = Config(executors={"agent": {"mode": "sandbox"}})
    assert config.out_of_reach(wanted) == [
        'executors.agent.mode is "sandbox": this version cannot do that yet. Leave it at "direct".'
    ]
