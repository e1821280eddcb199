"""Scripts for the agent in `scripted_agent`: turns of steps.

    agent = scripted(tmp_path, turn(text("On it"), edit("a.txt", "new")), turn(fail(-32603, "no"), to="again"))
    agent.profile  # as Execute takes it        agent.prompts()  # what the agent was told so far

A prompt gets the first turn whose `to` (a regular expression) is found in it and that is not used up. A script that has
none left answers with an error.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import lines

AGENT = Path(__file__).with_name("scripted_agent.py")
ONCE, ALWAYS, REJECT = (
    ("once", "Allow once", "allow_once"),
    ("always", "Always allow", "allow_always"),
    ("reject", "Reject", "reject_once"),
)
Step = dict[str, Any]


def turn(
    *steps: Step,
    to: str = "",
    times: int = 1,
    deaf: bool = False,
    usage: tuple[int, int] | tuple[int, int, int, int] | None = None,
) -> Step:
    """An answer to a prompt. `times` 0: as often as it is asked; `deaf`: goes on when it is cancelled;
    `usage`: tokens in and out, and besides those read from a cache and written to one, told at the end."""
    names = ("input_tokens", "output_tokens", "cached_read_tokens", "cached_write_tokens")
    told = {**dict(zip(names, usage, strict=False)), "total_tokens": sum(usage)} if usage else None
    return {"steps": list(steps), "to": to, "times": times, "deaf": deaf, "usage": told}


def always(*steps: Step, to: str = "") -> Step:
    """An answer that is never used up."""
    return turn(*steps, to=to, times=0)


def text(words: str, pause: float = 0.0, piece: int = 24) -> Step:
    """Words of the agent, in pieces."""
    return {"do": "text", "text": words, "pause": pause, "piece": piece}


def thought(words: str) -> Step:
    return {"do": "thought", "text": words}


def plan(**entries: str) -> Step:
    """A plan: `plan(Read="completed", Write="in_progress")`."""
    return {"do": "plan", "entries": [list(entry) for entry in entries.items()]}


def tool(title: str, kind: str = "read", input: Any = None, output: str = "done", status: str = "completed") -> Step:
    """A tool call that does nothing."""
    return {"do": "tool", "title": title, "kind": kind, "input": input, "output": output, "status": status}


def edit(path: str, words: str) -> Step:
    """Write a file of the workspace, shown as an edit."""
    return {"do": "edit", "path": path, "text": words}


def run(command: str) -> Step:
    """Run a command in the workspace, shown as a tool call."""
    return {"do": "run", "command": command}


def usage(used: int = 1000, size: int = 200_000, cost: float | None = None, currency: str = "USD") -> Step:
    """How full the context is, and what the session has cost so far."""
    return {"do": "usage", "used": used, "size": size, "cost": cost, "currency": currency}


def ask(title: str, options: tuple[tuple[str, str, str], ...] = (ONCE, ALWAYS, REJECT), **then: Any) -> Step:
    """Ask for permission to do something. Lists of steps by the id of the answer, `cancelled` too; `otherwise` for all
    others. `path` and `text` make it an edit of a file, `input` is what the tool would get."""
    call: Step = {key: then.pop(key) for key in ("path", "text", "input") if key in then}
    if "otherwise" in then:
        then[""] = then.pop("otherwise")
    return {"do": "ask", "title": title, "options": [list(option) for option in options], "then": then, **call}


def together(*branches: list[Step]) -> Step:
    """Several lists of steps at the same time, as an agent calls tools."""
    return {"do": "together", "branches": list(branches)}


def sleep(seconds: float) -> Step:
    return {"do": "sleep", "seconds": seconds}


def later(seconds: float, words: str) -> Step:
    """Tell of tools after the turn is over, for 2 s."""
    return {"do": "later", "seconds": seconds, "text": words}


def await_file(path: str) -> Step:
    """Wait until the test makes a file; below the workspace unless the path is absolute."""
    return {"do": "await", "path": path}


def hang() -> Step:
    """Say nothing for ever."""
    return {"do": "hang"}


def leave(code: int = 0) -> Step:
    """Exit in the middle of the turn."""
    return {"do": "exit", "code": code}


def die() -> Step:
    """End by SIGKILL in the middle of the turn."""
    return {"do": "die"}


def raw(line: str) -> Step:
    """A line that is written as it is."""
    return {"do": "raw", "line": line}


def stderr(words: str) -> Step:
    return {"do": "stderr", "text": words}


def huge(size: int = 50 * 1024 * 1024) -> Step:
    """One update with that many bytes of text."""
    return {"do": "huge", "size": size}


def update(**fields: Any) -> Step:
    """A session update as it is, even one that no client knows: `update(sessionUpdate="new", x=1)`."""
    return {"do": "update", "update": fields}


def fail(code: int = -32603, message: str = "Internal error", data: Any = None) -> Step:
    """Let session/prompt answer with an error."""
    return {"do": "fail", "code": code, "message": message, "data": data}


def end(reason: str = "end_turn") -> Step:
    """End the turn here: end_turn, max_tokens, max_turn_requests, refusal, cancelled."""
    return {"do": "end", "reason": reason}


@dataclass(frozen=True)
class Scripted:
    """An agent with a script."""

    script: Path
    log: Path
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-P", str(AGENT), str(self.script)]

    @property
    def profile(self) -> dict[str, Any]:
        """A profile as the runner gets it."""
        defaults = {
            "name": "scripted",
            "command": self.argv[0],
            "arguments": self.argv[1:],
            "environment": {},
            "secrets": {},
            "model": "",
            "mode": "",
            "permission": "ask",
            "allowed": [],
            "handshake": 30.0,
            "silence": 60.0,
            "login_files": [],
        }
        return {**defaults, **self.fields}

    def entries(self) -> list[dict[str, Any]]:
        """Everything that the agent's processes noted, in order."""
        return [json.loads(line) for line in lines(self.log)]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every call of a method, such as "session/cancel"."""
        return [entry.get("params") or {} for entry in self.entries() if entry.get("call") == method]

    def prompts(self) -> list[str]:
        """The texts of the prompts that a turn was found for."""
        return [entry["prompt"] for entry in self.entries() if "prompt" in entry]

    def replies(self) -> list[Any]:
        """What the client answered when it was asked."""
        return [entry["result"] for entry in self.entries() if entry.get("call") == "reply"]

    def starts(self) -> list[dict[str, Any]]:
        """For every process: pid, cwd, arguments, environment."""
        return [entry for entry in self.entries() if entry.get("call") == "started"]


def scripted(
    directory: Path,
    *turns: Step,
    handshake: str = "ok",
    protocol: int = 0,
    offers: tuple[str, ...] = ("load",),
    ignores: tuple[str, ...] = (),
    choices: dict[str, list[str]] | None = None,
    login: bool = False,
    name: str = "scripted",
    **fields: Any,
) -> Scripted:
    """Write a script into the directory. Further fields go into the profile.

    handshake: ok, never, error, exit. protocol: the version that the agent claims. offers: of load, resume.
    ignores: of "term", "end of stdin". choices: what may be set, such as {"model": ["a", "b"]}; the first is taken.
    login: sessions are refused until somebody logs in.
    """
    made = Scripted(directory / f"{name}.json", directory / f"{name}.calls", {"name": name, **fields})
    made.log.touch()
    script = {
        "log": str(made.log),
        "turns": list(turns),
        "handshake": handshake,
        "protocol": protocol,
        "offers": list(offers),
        "ignores": list(ignores),
        "choices": choices or {},
        "login": login,
    }
    made.script.write_text(json.dumps(script))
    return made
