"""Secrets on their way from the database to processes, and nowhere else: real runs, of commands and of agents."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from specs.secrets import set_secret
from tests.support import make
from tests.support.driving import attempts, driven, leftovers
from tests.support.scripts import run, scripted, text, turn
from workers.models import Attempt, Event
from workers.runner.masking import MASK
from workers.states import Reason, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "pr0ject-s3cret-Value/1"
OTHERS = "pr0file-s3cret-Value/2"
PRINT = 'echo "the key is $DEPLOY_KEY"'


def written() -> bytes:
    """All that stands in the data directory and in the database; what agents themselves store is theirs."""
    apart = settings.SPECYARD.data / "agents"
    places = [path for path in settings.SPECYARD.data.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = b"".join(path.read_bytes() for path in places if apart not in path.parents)
    tables = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            tables.append(str(cursor.fetchall()))
    return kept + "".join(tables).encode()


@pytest.mark.usefixtures("launcher")
def test_commands_get_them_and_nothing_that_is_stored_holds_them(tmp_path: Path) -> None:
    project = make.project(
        tmp_path,
        setup_command=f"{PRINT} at setup",
        teardown_command=PRINT,
        environment={"DEPLOY_KEY": "overridden"},
        secrets={"DEPLOY_KEY": SECRET, "LONG": f"{SECRET}-longer\nsecond-line"},
    )
    failing = f'{PRINT}; printenv LONG; echo "$DEPLOY_KEY" >&2; test "$SPECYARD_ATTEMPT" -ge 2'
    spec = make.spec(failing, project=project, review="printenv DEPLOY_KEY; test ${#DEPLOY_KEY} -eq 22")
    worker = driven(make.worker(spec=spec))
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    first, second = Attempt.objects.order_by("pk")
    assert f"the key is {MASK}\n{MASK}\n{MASK}\n{MASK}\n" in first.log_path.read_text()
    assert MASK in first.findings
    assert second.log_path.read_text().endswith(f"── review ──\n{MASK}\n")
    assert worker.last_line == MASK
    assert leftovers(worker) == []
    assert SECRET.encode() not in written()
    assert b"second-line" not in written()


@pytest.mark.usefixtures("launcher", "valkey")
def test_agents_get_those_of_the_project_too_and_their_own_win(tmp_path: Path) -> None:
    agent = scripted(tmp_path, turn(text(f"It is {OTHERS}, says {SECRET}.", piece=5), run('echo "$DEPLOY_KEY"')))
    command, *arguments = agent.argv
    profile = make.profile(
        name="painter",
        command=command,
        arguments=arguments,
        permission="allow",
        environment={"STRONGER": "of-the-profile"},
        secrets={"API_KEY": OTHERS, "BOTH": "both-of-the-profile"},
    )
    of_project = {"DEPLOY_KEY": SECRET, "BOTH": "both-of-the-project", "STRONGER": "weaker-secret"}
    (tmp_path / "work").mkdir()
    project = make.project(tmp_path / "work", default_profile=profile.name, secrets=of_project)
    worker = driven(make.worker(make.for_agent(), project=project))
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    seen = agent.starts()[0]["environment"]
    assert (seen["DEPLOY_KEY"], seen["API_KEY"], seen["BOTH"]) == (SECRET, OTHERS, "both-of-the-profile")
    assert seen["STRONGER"] == "of-the-profile"
    attempt = Attempt.objects.get()
    assert f"It is {MASK}, says {MASK}." in attempt.log_path.read_text()
    assert MASK in attempt.transcript_path.read_text()
    assert SECRET.encode() not in written()
    assert OTHERS.encode() not in written()


@pytest.mark.usefixtures("launcher")
@pytest.mark.parametrize("what", ["project", "profile"])
def test_a_secret_that_cannot_be_decrypted_ends_the_worker_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    profile = make.profile(name="painter", secrets={})
    project = make.project(tmp_path, default_profile="painter")
    set_secret(project if what == "project" else profile, "DEPLOY_KEY", SECRET)
    lost = settings.SPECYARD.model_copy(update={"secrets_key_file": str(tmp_path / "gone")})
    monkeypatch.setattr(settings, "SPECYARD", lost)
    worker = driven(make.worker(make.for_agent(), project=project))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.SECRET_UNREADABLE)
    assert "is not there" in worker.error
    assert f"the secret DEPLOY_KEY of the {what}" in worker.error
    assert attempts(worker) in ([], [(1, 1, "interrupted", "interrupted")])
    assert leftovers(worker) == []
    assert [event.kind for event in Event.objects.filter(worker_id=worker.pk)][-1] == "worker_failed"


@pytest.mark.usefixtures("launcher")
def test_a_key_that_is_lost_before_the_teardown_command_changes_nothing_that_was_reached(tmp_path: Path) -> None:
    kept, gone = settings.SPECYARD.data / "secrets.key", tmp_path / "gone"
    project = make.project(tmp_path, teardown_command="touch torn-down", secrets={"DEPLOY_KEY": SECRET})
    worker = make.worker(f"mv '{kept}' '{gone}'", project=project)
    try:
        worker = driven(worker)
    finally:
        gone.rename(kept)
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    assert not (tmp_path / "torn-down").exists()
    assert leftovers(worker) == []
