"""Chunks that pass in another order than that of the plan: what has passed stays on the branch, whoever goes on."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from specs.models import Chunk, Project
from tests.support import make
from tests.support.driving import Background, driven, now
from tests.support.repository import git, repository
from tests.support.scripts import edit, hang, text, turn
from tests.support.wait import until
from tests.workers.test_engine_scripted import Team, completed, continued, question, team
from workers.models import Worker, accept
from workers.spans import spans_of, whole_of
from workers.states import ChunkOutcome, WorkerStatus

__all__ = ["team"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher", "valkey")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def project(source: Path) -> Project:
    return make.project(source, isolation="worktree")


def gated(source: Path, command: str) -> str:
    """A command that fails until `open_gate`."""
    return f"test -e {source.parent}/gate && {command}"


def open_gate(source: Path) -> None:
    (source.parent / "gate").touch()


def again(worker: Worker) -> Worker:
    """Its spec, taken up by another worker that is driven to its end."""
    assert worker.spec is not None
    return driven(accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker))


def files(source: Path, worker: Worker) -> set[str]:
    """What its branch holds besides the file that was there before."""
    return set(git(source, "ls-tree", "--name-only", worker.branch).split()) - {"a.txt"}


def test_a_chunk_that_passes_at_the_second_try_comes_after_those_that_went_on(source: Path, project: Project) -> None:
    commands = ("echo 1 > one.txt", gated(source, "echo 2 > two.txt"), "echo 3 > three.txt")
    first = driven(make.worker(*commands, project=project, max_attempts=1, on_failure="continue"))
    assert first.status == WorkerStatus.FAILED
    assert files(source, first) == {"one.txt", "three.txt"}
    open_gate(source)
    second = again(first)
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert files(source, second) == {"one.txt", "two.txt", "three.txt"}
    assert second.head_commit == git(source, "rev-parse", second.branch)


def test_what_each_chunk_changed_is_told_in_the_order_of_the_branch(source: Path, project: Project) -> None:
    commands = ("echo 1 > one.txt", gated(source, "echo 2 > two.txt"), "echo 3 > three.txt")
    first = driven(make.worker(*commands, project=project, max_attempts=1, on_failure="continue"))
    open_gate(source)
    second = again(first)
    changed = {span.chunk.ordinal: [file.path for file in span.files] for span in spans_of(second) if span.chunk}
    assert changed == {1: ["one.txt"], 3: ["three.txt"], 2: ["two.txt"]}
    assert list(changed) == [1, 3, 2]
    assert [file.path for file in whole_of(second).files] == ["one.txt", "three.txt", "two.txt"]


def test_a_spec_whose_chunks_have_changed_places_keeps_what_has_passed(source: Path, project: Project) -> None:
    commands = ("echo 1 > one.txt", "echo 2 > two.txt", gated(source, "echo 3 > three.txt"))
    first = driven(make.worker(*commands, project=project, max_attempts=1))
    assert first.status == WorkerStatus.FAILED
    one, two, _ = Chunk.objects.filter(spec=first.spec).order_by("ordinal")
    for chunk, ordinal in ((one, 99), (two, 1), (one, 2)):
        Chunk.objects.filter(pk=chunk.pk).update(ordinal=ordinal)
    open_gate(source)
    second = again(first)
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert files(source, second) == {"one.txt", "two.txt", "three.txt"}


def test_a_chunk_that_is_new_in_front_keeps_what_has_passed(source: Path, project: Project) -> None:
    commands = ("echo 1 > one.txt", gated(source, "echo 2 > two.txt"))
    first = driven(make.worker(*commands, project=project, max_attempts=1))
    spec = first.spec
    assert spec is not None
    for chunk in spec.chunks.order_by("-ordinal"):
        Chunk.objects.filter(pk=chunk.pk).update(ordinal=chunk.ordinal + 1)
    Chunk.objects.create(spec=spec, ordinal=1, key="zero", title="Zero", params={"run": "echo 0 > zero.txt"})
    open_gate(source)
    second = again(first)
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert files(source, second) == {"zero.txt", "one.txt", "two.txt"}


def test_a_chunk_that_was_taken_out_of_the_spec_keeps_its_commit(source: Path, project: Project) -> None:
    commands = ("echo 1 > one.txt", "echo 2 > two.txt", gated(source, "echo 3 > three.txt"))
    first = driven(make.worker(*commands, project=project, max_attempts=1))
    Chunk.objects.get(spec=first.spec, ordinal=2).delete()
    open_gate(source)
    second = again(first)
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert files(source, second) == {"one.txt", "two.txt", "three.txt"}
    assert [file.path for file in whole_of(second).files] == ["one.txt", "three.txt", "two.txt"]


def test_a_chunk_that_a_person_skipped_may_be_done_later(team: Team, background: Background) -> None:
    team.agent(
        turn(edit("one.txt", "1\n"), to="chunk 1 of 4"),
        turn(text("nothing"), to="chunk 2 of 4"),
        turn(edit("three.txt", "3\n"), to="chunk 3 of 4"),
        turn(edit("four.txt", "4\n"), hang(), to="chunk 4 of 4"),
        turn(edit("two.txt", "2\n"), to="chunk 2 of 4"),
        turn(edit("four.txt", "4\n"), to="chunk 4 of 4"),
    )
    first = team.worker({}, {"review": {"command": "test -e two.txt"}}, {}, {})
    done = background(first)
    question(first).respond("skip", "", "mira")
    until(lambda: now(first).current == 4 and (Path(now(first).workspace) / "four.txt").exists(), what="chunk 4 begins")
    now(first).request_stop("mira")
    done.result(20)
    second = continued(first)
    second = completed(second, background(second))
    assert {chunk.outcome for chunk in second.chunks.all()} == {ChunkOutcome.PASSED}
    assert files(team.source, second) == {"one.txt", "two.txt", "three.txt", "four.txt"}


def test_workers_from_before_stand_where_their_last_chunk_passed(source: Path, project: Project) -> None:
    worker = driven(make.worker("echo 1 > one.txt", "echo 2 > two.txt", project=project))
    Worker.objects.update(head_commit="")
    one, two = worker.chunks.order_by("ordinal")
    worker.chunks.filter(pk=one.pk).update(finished_at=two.finished_at, commit="1" * 40)
    worker.chunks.filter(pk=two.pk).update(finished_at=one.finished_at)
    bare = make.worker("true", slot=2)
    migration = import_module("workers.migrations.0009_head_commit")
    migration.stand_where_the_last_chunk_passed(apps, SimpleNamespace(connection=connection))
    assert now(worker).head_commit == "1" * 40
    assert now(bare).head_commit == ""
