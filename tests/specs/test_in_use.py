"""What specs promise to runs and queue entries, asked of the real ones."""

import pytest

from queue_app import dispatch
from queue_app.models import WorkerQueue
from specs import executors
from specs.editing import save_text
from specs.errors import ProjectInUse, SpecInUse, SpecInvalid
from specs.importing import import_file
from specs.models import Chunk, Spec
from tests.specs.conftest import REAL_SOURCE
from tests.support import make
from workers.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spec(project, write) -> Spec:
    return import_file(write(), project).spec


@pytest.fixture
def worker(spec) -> Worker:
    return make.worker(spec=spec)


def plan(worker: Worker) -> list[tuple[object, ...]]:
    return list(worker.chunks.order_by("ordinal").values_list("key", "title", "params", "depends_on", "outcome"))


def test_editing_and_importing_again_leave_a_run_as_it_is(project, write, worker):
    before = plan(worker)
    assert [row[0] for row in before] == ["first", "second"]
    import_file(write("title: New\nchunks: [{key: second, title: Other}, {key: third, title: More}]"), project)
    save_text(project, "hello", "title: Newer\nchunks: [{key: first, title: Alone}]")
    assert plan(worker) == before
    assert list(Chunk.objects.values_list("key", flat=True)) == ["first"]


def test_parameters_are_checked_by_the_executor_itself(project, monkeypatch):
    monkeypatch.setattr(executors, "_source", REAL_SOURCE)
    with pytest.raises(SpecInvalid) as caught:
        save_text(project, "typed", "title: T\nchunks: [{title: A}, {title: B, params: {run: x, colour: red}}]")
    assert [field for field, _ in caught.value.errors] == ["chunks[0].params.run", "chunks[1].params.colour"]
    assert not Spec.objects.exists()


def test_deleting_a_spec_is_refused_while_a_worker_runs_it(project, spec, worker):
    before = plan(worker)
    with pytest.raises(SpecInUse, match=f"Worker {worker.pk} "):
        spec.remove()
    with pytest.raises(ProjectInUse, match=f"Worker {worker.pk} "):
        project.remove()
    assert plan(worker) == before
    assert Spec.objects.get().chunks.count() == 2


def test_deleting_a_spec_is_refused_while_it_waits_in_the_queue(project, spec):
    dispatch.pause_queue(by="mira")
    assert isinstance(dispatch.enqueue(spec, by="mira"), WorkerQueue)
    for remove in (spec.remove, project.remove):
        with pytest.raises((SpecInUse, ProjectInUse), match="queue"):
            remove()
    assert Spec.objects.get().chunks.count() == 2


def test_history_stays_when_a_spec_is_removed_after_its_run(spec, worker):
    worker.request_stop(by="mira")
    before = plan(worker)
    spec.remove()
    worker.refresh_from_db()
    assert plan(worker) == before
    assert worker.spec is None


def test_a_project_with_history_stays_and_says_why(project, spec, worker):
    worker.request_stop(by="mira")
    with pytest.raises(ProjectInUse, match="refer to it: workers"):
        project.remove()
    assert Spec.objects.get() == spec
