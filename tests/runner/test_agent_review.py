"""Reviews by an agent: a session of its own, that may only read, and a verdict that is checked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runner.support import Message, Owner, wait_until
from tests.runner.test_agent import TASK, Talk, place, talk
from tests.support import scripts
from tests.support.repository import commit, git, repository
from tests.support.scripts import Scripted, scripted, text, turn

__all__ = ["place", "talk"]
PASS = '{"verdict": "pass", "findings": []}'
FAIL = json.dumps({"verdict": "fail", "findings": [{"file": "a.txt", "line": 3, "text": "Off by one."}, "No test."]})


@pytest.fixture
def source(owner: Owner) -> Path:
    """The workspace as a repository, with a change that is not committed."""
    owner.run.workspace.rmdir()
    made = repository(owner.run.workspace)
    (made / "a.txt").write_text("changed\n")
    (made / "new.txt").write_text("brand new\n")
    return made


def begin(talk: Talk, agent: Scripted, command: str = "", attempt: int = 1, **more: Any) -> str:
    data = str(talk.run.launcher.directory / "agents" / "12")
    review = {"profile": agent.profile, "task": TASK, "instructions": "Mind the clock.", **more}
    return talk.owner.work("review", attempt, command=command, agent=review, agent_data=data)


def reviews(talk: Talk, agent: Scripted, command: str = "", **more: Any) -> Message:
    return talk.owner.result(begin(talk, agent, command, **more))


def test_the_reviewer_sees_the_diff_and_what_was_asked_for(talk: Talk, place: Path, source: Path) -> None:
    agent = scripted(place, turn(text(f"Fine.\n\n{PASS}")))
    result = reviews(talk, agent, base=git(source, "rev-parse", "HEAD"))
    assert result["outcome"] == "passed", result
    (prompt,) = agent.prompts()
    for part in (
        "+changed",
        "+brand new",
        "Mind the clock.",
        "two processes share one budget",
        "Write a token bucket.",
    ):
        assert part in prompt
    assert talk.transcript()[-1]["kind"] in ("review", "usage")
    assert [entry["verdict"] for entry in talk.transcript() if "verdict" in entry] == ["pass"]
    assert "new.txt" in git(source, "status", "--porcelain")  # the repository's own index is as it was


def test_findings_are_what_the_next_attempt_reads(talk: Talk, place: Path, source: Path) -> None:
    result = reviews(talk, scripted(place, turn(text(f"Hm.\n```json\n{FAIL}\n```"))))
    assert (result["outcome"], result["reason"]) == ("failed", "review_failed")
    assert "- a.txt:3: Off by one.\n- No test." in result["findings"]
    assert "2 things" in result["message"]


@pytest.mark.parametrize("nonsense", ["Looks good!", '{"verdict": "maybe"}', '{"verdict": "fail", "findings": []}'])
def test_an_answer_that_is_no_verdict_is_asked_for_once_more(
    talk: Talk, place: Path, source: Path, nonsense: str
) -> None:
    agent = scripted(place, turn(text(nonsense)), turn(text(PASS), to="no verdict"))
    assert reviews(talk, agent)["outcome"] == "passed"
    assert len(agent.prompts()) == 2


def test_no_verdict_twice_is_a_failure(talk: Talk, place: Path, source: Path) -> None:
    agent = scripted(place, scripts.always(text("Looks good!")))
    result = reviews(talk, agent)
    assert (result["outcome"], result["reason"]) == ("failed", "review_no_verdict")
    assert len(agent.prompts()) == 2


def test_a_reviewer_may_only_read_and_what_it_writes_is_undone(talk: Talk, place: Path, source: Path) -> None:
    commit(source, b="b\n")
    steps = (
        scripts.ask("read it", path="a.txt", text="asked\n", reject=[text("no. ")], once=[]),
        scripts.edit("a.txt", "mended\n"),
        scripts.edit("more.txt", "more\n"),
        scripts.run("rm b.txt"),
    )
    (source / "late.txt").write_text("late\n")
    before = git(source, "status", "--porcelain")
    agent = scripted(place, turn(*steps, text(PASS)), permission="allow")
    assert reviews(talk, agent, own=True)["outcome"] == "passed"
    assert git(source, "status", "--porcelain") == before
    assert (source / "b.txt").read_text() == "b\n"
    assert (source / "late.txt").read_text() == "late\n"
    assert not (source / "more.txt").exists()
    assert "undone" in talk.said("note")
    assert [entry["by"] for entry in talk.transcript() if entry["kind"] == "answered"] == ["policy"]


def test_where_others_may_work_nothing_is_undone(talk: Talk, place: Path, source: Path) -> None:
    agent = scripted(place, turn(text("I look."), scripts.await_file("go"), text(PASS)))
    request = begin(talk, agent)
    wait_until(agent.prompts)
    (source / "a.txt").write_text("edited by somebody meanwhile\n")
    (source / "mine.txt").write_text("an hour of typing\n")
    (source / "go").touch()
    assert talk.owner.result(request)["outcome"] == "passed"
    assert (source / "a.txt").read_text() == "edited by somebody meanwhile\n"
    assert (source / "mine.txt").exists()
    assert "During the review, a.txt, go, mine.txt changed. That is left" in talk.said("note")


def test_what_a_reviewer_makes_and_moves_is_undone_path_by_path(talk: Talk, place: Path, source: Path) -> None:
    head = commit(source, b="b\n")
    (source / "odd [*].txt").write_text("odd\n")
    steps = (
        scripts.run("git checkout -q -b elsewhere && git add --all && git -c user.name=R -c user.email=r commit -qm R"),
        scripts.run("mkdir -p deep/er && echo x > deep/er/x && git init -q copy && cd copy && echo y > y"),
        scripts.run("cd copy && git add y && git -c user.name=R -c user.email=r commit -qm R"),
        scripts.run("rm 'odd [*].txt' b.txt"),
    )
    agent = scripted(place, turn(*steps, text(PASS)), permission="allow")
    assert reviews(talk, agent, own=True)["outcome"] == "passed"
    assert (git(source, "symbolic-ref", "--short", "HEAD"), git(source, "rev-parse", "HEAD")) == ("main", head)
    assert sorted(path.name for path in source.iterdir()) == [".git", "a.txt", "b.txt", "new.txt", "odd [*].txt"]
    assert (source / "a.txt").read_text() == "changed\n"
    assert git(source, "status", "--porcelain").splitlines() == [" M a.txt", "?? new.txt", '?? "odd [*].txt"']
    assert "HEAD; that is undone" in talk.said("note")


def test_what_cannot_be_known_is_told(talk: Talk, place: Path, source: Path) -> None:
    makes = scripts.run("git init -q empty")  # git adds no repository without a commit
    agent = scripted(place, turn(makes, text(PASS), to="Review"), turn(text("done"), times=0))
    assert reviews(talk, agent, own=True)["outcome"] == "passed"
    assert "could not be found out" in talk.said("note")
    assert talk.works(agent, 2)["facts"]["changed"] is None


def test_what_an_attempt_that_was_broken_off_has_done_counts(talk: Talk, place: Path, source: Path) -> None:
    head = git(source, "rev-parse", "HEAD")
    agent = scripted(place, turn(text("It is all there already."), times=0))
    assert talk.works(agent)["facts"]["changed"] is False
    assert talk.works(agent, 2, base=head)["facts"]["changed"] is True
    git(source, "add", "--all")
    assert talk.works(agent, 3, base=commit(source))["facts"]["changed"] is False


def test_what_the_setup_left_is_no_work(talk: Talk, place: Path, source: Path) -> None:
    (source / "installed").mkdir()
    (source / "installed" / "big.txt").write_text("nobody's work\n" * 100)
    exclude = source.with_name(f"{source.name}.exclude")
    exclude.write_text("/installed/\n")
    agent = scripted(place, turn(scripts.edit("built.txt", "1\n"), text(PASS)), turn(text(PASS), times=0))
    assert reviews(talk, agent, base=git(source, "rev-parse", "HEAD"))["outcome"] == "passed"
    (prompt,) = agent.prompts()
    assert "+brand new" in prompt
    assert "nobody's work" not in prompt
    exclude.write_text("/installed/\n/built.txt\n")  # what is ignored later is in no later snapshot
    assert reviews(talk, agent, attempt=2, base=git(source, "rev-parse", "HEAD"))["outcome"] == "passed"
    assert "built.txt" not in agent.prompts()[-1]


def test_a_change_inside_a_submodule_is_a_change(talk: Talk, place: Path, source: Path, directory: Path) -> None:
    git(source, "submodule", "--quiet", "add", str(repository(directory / "library")), "lib")
    commit(source)
    agent = scripted(
        place,
        turn(scripts.edit("lib/a.txt", "two\n")),
        turn(scripts.edit("lib/a.txt", "three\n")),
        turn(text("nothing")),
        turn(scripts.edit("lib/more.txt", "more\n"), text(PASS)),
    )
    assert [talk.works(agent, number)["facts"]["changed"] for number in (1, 2, 3)] == [True, True, False]
    assert reviews(talk, agent, own=True)["outcome"] == "passed"
    assert "could not be found out, or undone" in talk.said("note")


def test_the_command_comes_first_and_its_failure_saves_the_agent(talk: Talk, place: Path, source: Path) -> None:
    agent = scripted(place, turn(text(PASS)))
    result = reviews(talk, agent, "echo wrong; exit 3")
    assert (result["reason"], agent.starts()) == ("review_failed", [])
    assert "wrong" in result["findings"]


def test_it_shares_the_process_of_the_worker_but_not_the_session(talk: Talk, place: Path, source: Path) -> None:
    agent = scripted(place, turn(text("done")), turn(text(PASS), to="Review"), turn(text("more")))
    first = talk.works(agent)["facts"]["session"]
    assert reviews(talk, agent)["outcome"] == "passed"
    assert talk.works(agent, 2)["facts"]["session"] == first
    assert len(agent.starts()) == 1
    assert len({call["sessionId"] for call in agent.calls("session/prompt")}) == 2


def test_without_git_it_reviews_what_it_finds(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text(PASS)))
    assert reviews(talk, agent)["outcome"] == "passed"
    assert "```diff" not in agent.prompts()[0]


def test_somebody_must_review(talk: Talk) -> None:
    talk.owner.work("review", 1)
    assert "must review" in talk.owner.until("error")["error"]
