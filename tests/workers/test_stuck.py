"""Which failures leave a chunk stuck."""

import pytest

from workers import stuck
from workers.runner.executors.base import Reason


def failed(findings: str = "", reason: str = "review_failed", message: str = "The review failed.") -> dict[str, str]:
    return {"reason": reason, "message": message, "findings": findings}


def test_a_first_failure_may_be_mended() -> None:
    assert stuck.why(failed("2 failed"), None, None) == ""
    assert stuck.why(failed("2 failed"), None, True) == ""


def test_the_same_findings_twice_in_a_row_are_not() -> None:
    assert stuck.why(failed("2 failed"), failed("2 failed"), True) == (
        "Two attempts in a row have failed in the same way: The review failed."
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2 failed in 0.12s", "2 failed in 1.38s"),
        ("2 failed in 12 seconds", "2 failed in 1 second"),
        ("12:01:07 error", "13:44:59.123 error"),
        ("2026-11-20T10:00:00Z error", "2026-11-21T11:30:12Z error"),
        ("<Wall at 0x7f74acb52a50>", "<Wall at 0x7F74ACB00000>"),
        ("took 14 ms", "took 9 ms"),
    ],
)
def test_what_differs_by_accident_is_the_same(before: str, after: str) -> None:
    assert stuck.why(failed(after), failed(before), None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2 failed", "1 failed"),
        ("line 12: too long", "line 14: too long"),
        ("test_walls failed", "test_roof failed"),
        ("expected 5 m, got 6", "expected 5 m, got 7"),
    ],
)
def test_what_differs_is_progress(before: str, after: str) -> None:
    assert stuck.why(failed(after), failed(before), None) == ""


def test_another_reason_is_another_failure() -> None:
    assert stuck.why(failed("same", reason="command_failed"), failed("same"), None) == ""


def test_failures_without_findings_are_compared_by_their_messages() -> None:
    gone = failed(reason="agent_exited", message="The agent ended with exit code 1.")
    assert stuck.why(gone, gone, None)
    assert stuck.why(gone, {**gone, "message": "The agent ended with exit code 2."}, None) == ""


def test_an_attempt_that_changed_nothing_is_not_repeated() -> None:
    assert (
        stuck.why(failed("2 failed"), None, False) == "The attempt has changed nothing, and failed: The review failed."
    )


@pytest.mark.parametrize("reason", sorted(stuck.HOPELESS))
def test_what_only_a_person_can_mend_is_not_repeated(reason: str) -> None:
    why = stuck.why(failed(reason=reason, message="It says no."), None, None)
    assert why == "Another attempt would not help: It says no."


def test_each_of_those_reasons_is_one_that_somebody_gives() -> None:
    known = {reason.value for reason in Reason} | {"profile_missing"}
    assert known >= stuck.HOPELESS
