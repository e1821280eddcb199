"""What happens to the work when processes are killed under it."""

import os
import signal
from pathlib import Path

import pytest

from queue_app import dispatch
from tests.support import make, processes
from tests.support.wait import until
from tests.support.work import COUNT, attempt_that_wrote, ended, started
from tests.support.yard import Yard
from workers import launch
from workers.models import Attempt, Event, Worker, latest_seq
from workers.states import AttemptStatus, Reason, WorkerStatus

pytestmark = pytest.mark.faults

JOB = """
title: Job
chunks:
  - title: Wait
    params: {{run: "while ! test -e {gate}; do sleep 0.02; done"}}
  - title: Say
    params: {{run: "echo {word}"}}
"""


def test_killing_the_node_again_and_again_loses_no_line_and_charges_no_attempt(yard: Yard, tmp_path: Path) -> None:
    worker = started(COUNT.format(lines=600), directory=tmp_path)
    for epoch, lines in ((2, 10), (3, 150), (4, 300)):
        attempt_that_wrote(worker, lines)
        yard.kill("node")
        yard.start_node()
        until(lambda epoch=epoch: Worker.objects.get().epoch == epoch, what="adopted")
    done = ended(worker)
    assert done.status == WorkerStatus.COMPLETED
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.status, attempt.log_lines) == (1, AttemptStatus.PASSED, 600)
    assert processes.lines(attempt.log_path) == [f"line {number}" for number in range(1, 601)]
    assert done.incarnation == 1
    assert done.epoch == 4


def test_killing_the_runner_loses_the_attempt_and_nothing_of_its_tree_lives_on(yard: Yard, tmp_path: Path) -> None:
    mark = f"sleep 6{tmp_path.stat().st_ino}"
    again = tmp_path / "second"
    command = f"test -e {again} && exit 0; touch {again}; env -i setsid sh -c '{mark} & {mark}' & {mark}"
    worker = started(command, directory=tmp_path)
    until(lambda: len(processes.marked(mark)) >= 3, what="the tree runs")
    runner = yard.runner(worker)
    yard_pids = processes.marked(mark)
    os.kill(runner, signal.SIGKILL)
    done = ended(worker)
    assert done.status == WorkerStatus.COMPLETED
    assert list(Attempt.objects.order_by("number").values_list("status", flat=True)) == ["lost", "passed"]
    assert not [pid for pid in yard_pids if processes.alive(pid)]
    assert not processes.marked(mark)
    assert done.incarnation == 2


def test_a_runner_that_dies_every_time_ends_the_worker_with_a_reason(yard: Yard, tmp_path: Path) -> None:
    worker = started("kill -9 $PPID; sleep 60", directory=tmp_path)
    done = ended(worker)
    assert (done.status, done.reason) == (WorkerStatus.FAILED, Reason.RUNNER_LOST)
    told = list(Attempt.objects.values_list("status", "reason", "message", "exit_code"))
    assert set(told) == {(AttemptStatus.LOST, "runner_lost", "The runner died.", None)}


def test_stop_leaves_the_process_table_as_it_was(yard: Yard, tmp_path: Path) -> None:
    mark = f"sleep 7{tmp_path.stat().st_ino}"
    before = len(processes.tree(yard.parts["launcher"].pid))  # with the runner that it keeps ready
    command = f"trap '' TERM; env -i setsid sh -c 'exec >/dev/null 2>&1 <&-; {mark} & {mark}' & {mark} & {mark}"
    worker = started(command, directory=tmp_path)
    until(lambda: len(processes.marked(mark)) >= 4, what="the tree runs")
    worker.request_stop("mira")
    done = ended(worker, 10)
    assert (done.status, done.reason, done.error) == (WorkerStatus.STOPPED, Reason.STOPPED, "Stopped by mira.")
    assert not processes.marked(mark)
    assert not launch.ping()["runs"]
    until(lambda: len(processes.tree(yard.parts["launcher"].pid)) == before, what="as many processes as before")


def test_a_paused_tree_writes_nothing_until_it_is_resumed(yard: Yard, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("own", "group", "session")]
    loop = "while :; do echo x >> {}; sleep 0.005; done"
    own, group, session = (loop.format(file) for file in files)
    own_group = f"""python3 -c 'import os; os.setpgid(0, 0); os.execlp("sh", "sh", "-c", "{group}")'"""
    command = f"env -i setsid sh -c '{session}' & {own_group} & {own}"
    worker = started(command, directory=tmp_path)
    until(lambda: all(len(processes.lines(file)) > 5 for file in files), what="all three write")
    worker.request_pause("mira")
    until(lambda: Worker.objects.get().status == WorkerStatus.PAUSED, 2.0, "paused within 2 s")
    sizes = [file.stat().st_size for file in files]
    seq = latest_seq()
    lease = Worker.objects.get().lease_until
    until(lambda: Worker.objects.get().lease_until != lease, what="its lease is renewed, which takes seconds")
    assert [file.stat().st_size for file in files] == sizes
    assert not Event.objects.filter(seq__gt=seq, data__has_key="log_bytes").exists()
    worker.request_resume("mira")
    until(lambda: Worker.objects.get().status == WorkerStatus.RUNNING, what="resumed")
    until(lambda: all(file.stat().st_size > size for file, size in zip(files, sizes, strict=True)), what="all write")
    worker.request_stop("mira")
    ended(worker)


def test_pause_and_stop_work_with_an_empty_and_with_a_dead_redis(yard: Yard, tmp_path: Path) -> None:
    worker = started("while :; do sleep 0.05; done", directory=tmp_path)
    until(lambda: Attempt.objects.filter(status=AttemptStatus.RUNNING), what="it runs")
    yard.redis().flushall()
    worker.request_pause("mira")
    until(lambda: Worker.objects.get().status == WorkerStatus.PAUSED, 2.0, "paused within 2 s")
    yard.kill("valkey")
    worker.request_resume("mira")
    until(lambda: Worker.objects.get().status == WorkerStatus.RUNNING, 5.0, "resumed without Redis")
    worker.request_stop("mira")
    assert ended(worker, 10).status == WorkerStatus.STOPPED


def test_flushing_and_restarting_redis_in_mid_run_loses_nothing(yard: Yard, tmp_path: Path) -> None:
    worker = started(COUNT.format(lines=300), "echo second", directory=tmp_path)
    attempt_that_wrote(worker, 20)
    yard.redis().flushall()
    attempt_that_wrote(worker, 60)
    yard.kill("valkey")
    attempt_that_wrote(worker, 100)
    later = started("echo while redis is away", directory=tmp_path)
    assert ended(later).status == WorkerStatus.COMPLETED
    yard.start_valkey()
    assert ended(worker).status == WorkerStatus.COMPLETED
    assert ended(started("echo after", directory=tmp_path)).status == WorkerStatus.COMPLETED
    assert Attempt.objects.count() == 4
    first = Attempt.objects.order_by("pk").first()
    assert first is not None
    assert len(processes.lines(first.log_path)) == 300


def test_a_node_that_was_stopped_and_replaced_cannot_hurt_the_adopted_runner(yard: Yard, tmp_path: Path) -> None:
    worker = started(COUNT.format(lines=700), directory=tmp_path)
    attempt_that_wrote(worker, 10)
    old = yard.parts.pop("node")
    old.send_signal(signal.SIGSTOP)
    yard.start_node("replacement")
    adopted = until(lambda: Worker.objects.filter(pk=worker.pk, epoch=2).first(), what="adopted")
    attempt_that_wrote(worker, 200)
    old.send_signal(signal.SIGCONT)
    old.wait(30)  # it notices that another process speaks for its node, and ends
    done = ended(worker)
    assert (done.status, done.epoch, done.incarnation) == (WorkerStatus.COMPLETED, adopted.epoch, 1)
    attempt = Attempt.objects.get()
    assert processes.lines(attempt.log_path) == [f"line {number}" for number in range(1, 701)]


def test_an_orderly_shutdown_charges_no_attempt_and_the_next_node_goes_on(yard: Yard, tmp_path: Path) -> None:
    worker = started("echo one", f"test -e {tmp_path}/go && exit 0; sleep 60", directory=tmp_path)
    until(lambda: Worker.objects.filter(current=2, step="executing", passed=1).first(), what="second chunk runs")
    until(lambda: Attempt.objects.filter(chunk__ordinal=2, status="running"), what="its attempt runs")
    yard.kill("node", signal.SIGTERM)
    waiting = Worker.objects.get(pk=worker.pk)
    assert waiting.status == WorkerStatus.RUNNING
    assert Attempt.objects.get(chunk__ordinal=2).status == AttemptStatus.INTERRUPTED
    (tmp_path / "go").touch()
    yard.start_node()
    assert ended(worker).status == WorkerStatus.COMPLETED
    assert Attempt.objects.filter(chunk__ordinal=1).count() == 1


def test_what_is_paused_stays_paused_over_a_restart_of_the_node(yard: Yard, tmp_path: Path) -> None:
    worker = started(COUNT.format(lines=200), directory=tmp_path)
    attempt_that_wrote(worker, 10)
    worker.request_pause("mira")
    until(lambda: Worker.objects.get().status == WorkerStatus.PAUSED, what="paused")
    attempt = Attempt.objects.get()
    size = attempt.log_path.stat().st_size
    yard.kill("node")
    yard.start_node()
    until(lambda: Worker.objects.get().epoch == 2, what="adopted")
    assert Worker.objects.get().status == WorkerStatus.PAUSED
    assert attempt.log_path.stat().st_size == size
    worker.request_resume("mira")
    assert ended(worker).status == WorkerStatus.COMPLETED
    assert len(processes.lines(attempt.log_path)) == 200


def test_editing_reimporting_and_deleting_a_spec_does_not_touch_its_run(yard: Yard, tmp_path: Path) -> None:
    from specs.errors import SpecInUse
    from specs.importing import import_file

    source = tmp_path / ".specyard" / "job.yaml"
    source.parent.mkdir()
    gate = tmp_path / "gate"
    text = JOB
    source.write_text(text.format(gate=gate, word="old"))
    project = make.project(tmp_path)
    spec = import_file(source, project).spec
    worker = dispatch.enqueue(spec, by="mira")
    assert isinstance(worker, Worker)
    until(lambda: Attempt.objects.filter(status="running"), what="it runs")
    source.write_text(text.format(gate=gate, word="new"))
    assert import_file(source, project).changed
    with pytest.raises(SpecInUse):
        spec.remove()
    gate.touch()
    assert ended(worker).status == WorkerStatus.COMPLETED
    last = Attempt.objects.get(chunk__ordinal=2)
    assert processes.lines(last.log_path) == ["old"]
