"""The environment of the tests, set before Django reads its settings: a data directory of their own.

Also a guard: threads of the engine's own pool keep their database connections, so a test that starts one takes the
fixture `owned`, whose pool closes them. Without it the test fails here, and not the removal of PostgreSQL's database.
"""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from unittest import mock

import pytest

# The first process's, also in those of pytest-xdist: below its own TMPDIR their sockets would have too long paths.
BASE = os.environ.setdefault("TESTS_TMP", tempfile.gettempdir())
DATA = tempfile.mkdtemp(prefix="specyard-tests-", dir=BASE)
# For what the tests start: with a long data directory, it has a directory for sockets there (Config.runtime_dir).
os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="t", dir=DATA)
os.environ["SPECYARD_DATA_DIR"] = DATA
os.environ["SPECYARD_CONFIG"] = os.devnull  # no file of whoever runs the tests
os.environ["SPECYARD_NODE_NAME"] = "test-node"
os.environ.pop("REDIS_URL", None)
os.environ.pop("MAX_WORKERS", None)
atexit.register(shutil.rmtree, DATA, ignore_errors=True)

# Whoever runs the tests in the background may have made them deaf to these; what they start would be deaf too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of what needs to be run on a second database."""
    parser.addoption("--database-only", action="store_true", help="Run only the tests that use the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another database cannot change, when that is asked for."""
    if config.getoption("--database-only"):
        config.hook.pytest_deselected(items=[item for item in items if not _uses_the_database(item)])
        items[:] = filter(_uses_the_database, items)


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not {"db", "transactional_db"}.isdisjoint(fixtures)


@pytest.fixture(scope="session", autouse=True)
def engines_in_threads_need_a_fixture() -> Iterator[None]:
    """Refuse jobs for the engine's own pool."""
    from workers import driving

    refusal = AssertionError("Take the fixture `owned`: its pool closes the connections of its threads")
    with mock.patch.object(driving.pool, "submit", side_effect=refusal):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged may be no text (half a character); pytest-xdist can pass on nothing else."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def what_commands_get_is_known() -> None:
    """Remember the user's own PATH and HOME before a test puts others in their place."""
    from workers.runner.environment import base

    base()
