"""What agents are told. Plain English, with everything that a chunk says and what is needed to do it unattended."""

from workers.runner.messages import AgentReview, Task

GO_ON = "You were interrupted. Look at the state of the workspace and go on with the task where you stopped."
GO_ON_AFTER_LIMIT = "You reached a limit of one turn. Go on with the task where you stopped."
GO_ON_AFTER_FAULT = "The connection failed meanwhile. Go on with the task where you stopped."
NOTHING_DONE = "You have answered nothing and used no tool. Carry the task out now."
A_PERSON_SAYS = "A person has said the above meanwhile. Act on it, then see that the task is still done."
NOT_PERMITTED = "What you asked for was not permitted. Go on with the task in another way."
UNDONE = (
    "## The files\n\nThey are as the last chunk that passed has left them: what was changed since is undone. "
    "Look at them as they are now."
)
BLOCKED = "BLOCKED:"
DIFF_CHARS = 200_000


def for_chunk(task: Task, extra: str, findings: str, *, is_new: bool) -> str:
    """The prompt of an attempt at a chunk. `is_new`: the session knows nothing of what was before."""
    parts = [f"You work on chunk {task.ordinal} of {task.total} of the spec “{task.spec}”: {task.title}"]
    if extra:
        parts.append(extra)
    if task.instructions:
        parts.append(f"## Instructions\n\n{task.instructions.strip()}")
    if task.acceptance:
        parts.append("## It is done when\n\n" + "\n".join(f"- {line}" for line in task.acceptance))
    if task.files:
        parts.append("## Files that it is about\n\n" + "\n".join(f"- {name}" for name in task.files))
    if is_new and task.passed:
        done = "\n".join(f"- {one.title}{f' (commit {one.commit[:10]})' if one.commit else ''}" for one in task.passed)
        parts.append(f"## Already done in this workspace, by chunks before this one\n\n{done}")
    if task.undone and not is_new:
        parts.append(UNDONE)
    if findings:
        parts.append(f"## The attempt before this one did not pass\n\nThis was found:\n\n{findings.strip()}")
    if task.note:
        parts.append(f"## A person adds\n\n{task.note.strip()}")
    parts.append(
        "## Rules\n\n"
        "- Work only in the current directory, and only on this chunk. Do not commit: that is done for you.\n"
        "- Nobody watches. Do not ask whether to begin or to go on; carry it out and check it yourself.\n"
        f"- If you cannot go on without a person, end your answer with one line that begins with {BLOCKED} "
        "followed by your question."
    )
    return "\n\n".join(parts)


def for_review(review: AgentReview, diff: str) -> str:
    """The prompt of a review."""
    task = review.task
    parts = [
        f"Review the work on chunk {task.ordinal} of {task.total} of the spec “{task.spec}”: {task.title}\n\n"
        "Somebody else has done it in the current directory. Read, and run what only reads; change nothing."
    ]
    if task.instructions:
        parts.append(f"## What was to be done\n\n{task.instructions.strip()}")
    if task.acceptance:
        parts.append("## It is done when\n\n" + "\n".join(f"- {line}" for line in task.acceptance))
    if review.instructions:
        parts.append(f"## Look at this in particular\n\n{review.instructions.strip()}")
    if diff:
        shown = (
            diff if len(diff) <= DIFF_CHARS else f"{diff[:DIFF_CHARS]}\n… {len(diff) - DIFF_CHARS:,} more characters"
        )
        parts.append(f"## What was changed\n\n```diff\n{shown}\n```")
    parts.append(f"## Your answer\n\n{VERDICT_FORM}")
    return "\n\n".join(parts)


VERDICT_FORM = (
    "End your answer with one JSON object and nothing after it:\n\n"
    '{"verdict": "pass" or "fail", "findings": [{"file": "path or empty", "line": number or null, '
    '"text": "what is wrong and what to do"}]}\n\n'
    "Let it pass when everything asked for is there and works. When it fails, name every finding that must be mended."
)


def ask_again(problem: str) -> str:
    """What a reviewer is told whose answer was no verdict."""
    return f"Your answer holds no verdict that can be read: {problem}\n\n{VERDICT_FORM}"
