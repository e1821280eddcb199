"""What clients may say, who is obeyed, and that no client can harm a run."""

import contextlib
import json
import time

import psutil
import pytest

from tests.runner.support import Owner, Run, Token, wait_until
from workers.runner import clients, journal


def entries(run: Run) -> list[journal.Entry]:
    return journal.read(run.directory / "journal.ndjson")


def test_a_repeated_request_is_not_run_twice(owner: Owner) -> None:
    command = "echo ran >> runs; while [ ! -e go ]; do sleep 0.01; done"
    request = owner.execute(command)
    owner.execute(command)
    owner.until("started")
    owner.execute(command)
    (owner.run.workspace / "go").touch()
    heard = []
    while not heard or heard[-1]["kind"] != "finished":
        heard.append(owner.connection.receive())
    assert "error" not in [message["kind"] for message in heard]
    owner.execute(command)
    owner.passes("true", attempt=2)
    assert (owner.run.workspace / "runs").read_text() == "ran\n"
    finished = [entry["request"] for entry in entries(owner.run) if entry["kind"] == "finished"]
    assert finished == [request, "2:execute"]


def test_a_second_request_while_one_runs_is_refused(owner: Owner) -> None:
    first = owner.execute("while [ ! -e go ]; do sleep 0.01; done")
    second = owner.execute("touch wrong", attempt=2)
    error = owner.until("error")
    assert error["request"] == second
    (owner.run.workspace / "go").touch()
    assert owner.result(first)["outcome"] == "passed"
    assert not (owner.run.workspace / "wrong").exists()


def test_a_request_for_another_worker_does_nothing(owner: Owner) -> None:
    owner.connection.send(op="pause", worker=13)
    assert "12" in owner.until("error")["error"]
    work = {"request": "r", "cwd": str(owner.run.workspace), "log": str(owner.run.log(1))}
    owner.connection.send(op="execute", worker=13, params={"run": "touch wrong"}, **work)
    assert owner.until("error")["request"] == "r"
    owner.passes("true", attempt=2)
    assert not (owner.run.workspace / "wrong").exists()


def test_a_lower_epoch_is_fenced(run: Run) -> None:
    run.attach(epoch=3).until("attached", epoch=3)
    late = run.attach(epoch=2)
    assert late.connection.receive() == {"kind": "fenced", "epoch": 3}
    assert late.connection.closed()


def test_a_higher_epoch_takes_over_and_the_older_owner_is_cut_off(run: Run, token: Token) -> None:
    old = run.attach(epoch=1)
    request = old.execute(f"{token.sleeper()} & wait")
    old.until("started")
    new = run.attach(epoch=2)
    assert old.until("fenced")["epoch"] == 2
    with contextlib.suppress(BrokenPipeError):
        old.say("quit")
    assert old.connection.closed()
    new.until("started", request=request)
    new.say("interrupt")
    assert new.result(request)["outcome"] == "interrupted"
    new.passes("true", attempt=2)


def test_what_an_overtaken_owner_had_on_its_way_is_not_obeyed(run: Run) -> None:
    """Both have sent while the runner was stopped; the one with the lower epoch is heard last."""
    old, new = run.attach(epoch=1), run.launcher.connect(run.path)
    old.until("attached")
    assert new.ask(op="hello")["kind"] == "error"
    runner = psutil.Process(run.pid)
    runner.suspend()
    new.send(op="attach", epoch=2)
    old.say("pause")
    old.say("quit")
    runner.resume()
    new.until("attached", epoch=2)
    assert old.connection.closed()
    run.attach(epoch=2).passes("true")


def test_equal_epochs_share_the_runner(run: Run) -> None:
    first, second = run.attach(epoch=4), run.attach(epoch=4)
    request = first.execute("echo hello")
    assert second.result(request)["outcome"] == "passed"
    assert first.result(request)["outcome"] == "passed"
    assert [entry["epoch"] for entry in entries(run) if entry["kind"] == "attached"] == [4]


def test_nothing_is_obeyed_before_attaching(run: Run) -> None:
    stranger = run.launcher.connect(run.path)
    stranger.send(op="quit", worker=run.worker)
    assert stranger.until("error")["error"] == "attach first"
    run.attach().passes("true")


def test_a_client_that_comes_later_gets_the_journal_from_where_it_wants(owner: Owner) -> None:
    for attempt in range(1, 4):
        owner.passes("echo x", attempt)
    whole = owner.run.attach()
    got = [whole.connection.receive() for _ in range(len(entries(owner.run)))]
    assert got == entries(owner.run)
    assert [entry["n"] for entry in got] == list(range(1, len(got) + 1))
    part = owner.run.attach(start=5)
    assert part.connection.receive() == got[4]
    beyond = owner.run.attach(start=len(got) + 1)
    owner.passes("true", attempt=9)
    assert beyond.until("started", attempt=9)["n"] > len(got)


def test_the_runner_goes_on_without_a_client(owner: Owner) -> None:
    request = owner.execute("while [ ! -e go ]; do sleep 0.01; done; echo done")
    owner.until("started")
    owner.connection.close()
    (owner.run.workspace / "go").touch()
    again = owner.run.attach()
    assert again.result(request)["outcome"] == "passed"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"{}",
        b'{"op":"dance"}',
        b'{"op":["attach"]}',
        b'{"op":"attach","epoch":"many"}',
        b'{"op":"attach","epoch":-1}',
        b'{"op":"attach","epoch":1,"from":0}',
        b'{"op":"execute","worker":12}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/\\u0000","log":"/tmp/l"}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/","log":"/tmp/l","env":{"A=B":"c"}}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/","log":"/tmp/l","env":{"A":1}}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/","log":"/tmp/l","timeout":-1}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/","log":"/tmp/l","timeout":NaN}',
        b'{"op":"execute","worker":12,"request":"r","cwd":"/","log":"/tmp/l","timeout":1e999}',
        b'{"op":"review","worker":12,"request":"r","cwd":"/","log":"/tmp/l","command":""}',
        b'{"op":"interrupt","worker":12,"reason":"boredom"}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_line_is_answered_and_harms_nobody(owner: Owner, line: bytes) -> None:
    owner.until("attached")
    owner.connection.send_raw(line + b"\n")
    if line:
        error = owner.connection.receive()
        assert error is not None
        assert error["kind"] == "error"
        assert error["error"]
    owner.passes("true")


def test_a_line_without_an_end_costs_its_sender_the_connection(owner: Owner) -> None:
    other = owner.run.launcher.connect(owner.run.path)
    other.flood(b"x" * clients.LINE_LIMIT)
    owner.passes("true")


def test_a_client_that_sends_but_never_reads_is_dropped(owner: Owner) -> None:
    flood = owner.run.launcher.connect(owner.run.path)
    before = psutil.Process(owner.run.pid).memory_info().rss
    flood.flood(b'{"op":"dance"}\n' * 1000)
    assert psutil.Process(owner.run.pid).memory_info().rss - before < 30_000_000
    owner.passes("true")


def test_a_client_that_never_reads_the_journal_holds_nobody_up(run: Run) -> None:
    """Its journal is longer than any socket's buffer; it gets all of it when it wakes up."""
    owner, sleeper = run.attach(), run.attach()
    begun = time.monotonic()
    message = "x" * 180
    attempts = 400
    for attempt in range(1, attempts + 1):
        owner.result(owner.execute(f"echo {message}; exit 1", attempt, findings=""))
    assert time.monotonic() - begun < 10
    before = psutil.Process(run.pid).memory_info().rss
    assert before < 120_000_000
    count = len(entries(run))
    assert [sleeper.connection.receive()["n"] for _ in range(count)] == list(range(1, count + 1))


def test_the_journal_is_told_in_the_same_words_as_it_is_written(owner: Owner) -> None:
    owner.passes("echo ü")
    lines = (owner.run.directory / "journal.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in lines] == entries(owner.run)
    wait_until(lambda: len(entries(owner.run)) >= 5, "the entries")
