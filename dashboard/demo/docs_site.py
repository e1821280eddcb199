"""docs-site: a handbook whose pages are generated."""

import random

from dashboard.demo.history import Commit
from dashboard.demo.sources import day, files_of

NAME = "docs-site"
SUBJECTS = ("Accounts", "Backups", "Deliveries", "Invoices", "Keys", "Logs", "Refunds", "Reports")
VIEWS = ("at a glance", "step by step", "for administrators", "when something is wrong", "in numbers")
WHO = """an administrator|every member|the owner|a new colleague|the night shift|whoever is on call|the auditor|\
support|the release manager|a trainee|the second reader|the team that asked for it|finance|a contractor"""
WHAT = """checks|renews|exports|archives|compares|restores|documents|hands over|rotates|counts|signs|schedules|reviews|\
measures|cleans up|moves|repeats|cancels|approves|encrypts|copies|closes|prints|translates"""
WHOSE = """the list of|every third of|the oldest of|a sample of|the settings of|the history of|the costs of|\
a copy of|the names behind|all open|the rules for|yesterday's|the largest of|the test data for"""
WHEN = """once a week|before a release|at the end of the month|after each change|when it is quiet|on demand|\
at midnight|during maintenance|within four hours|twice a year|as soon as possible|after lunch|by Friday"""
HOW = """in two minutes|with one command|without downtime|from the command line|together with a colleague|by hand|\
using the template|following the checklist|over the telephone|with read access only|on a spare machine|in plain words"""


def commits() -> list[Commit]:
    """The script, then the handbook."""
    return [
        Commit("Start the site", day(0), files_of(NAME)),
        Commit("Write the handbook", day(5), pages(), author="Amara Okafor"),
    ]


def pages() -> dict[str, str]:
    """The pages in Markdown; always the same ones."""
    dice = random.Random(40)
    names = {_name(subject, view): f"{subject} {view}" for subject in SUBJECTS for view in VIEWS}
    found = {f"pages/{name}.md": _page(dice, title, names) for name, title in names.items()}
    links = "\n".join(f"- [{title}]({name}.md)" for name, title in names.items())
    return {"pages/index.md": f"# Handbook\n\nEverything that one has to know, page by page.\n\n{links}\n", **found}


def _name(subject: str, view: str) -> str:
    return f"{subject} {view}".lower().replace(" ", "-")


def _page(dice: random.Random, title: str, names: dict[str, str]) -> str:
    parts = [f"# {title}", _paragraph(dice, title)]
    for section in ("Who does it", "How it is done", "What may go wrong"):
        parts += [f"## {section}", _paragraph(dice, title), _paragraph(dice, title)]
    steps = "\n".join(f"- **{_one(dice, WHO).capitalize()}** {_deed(dice, title)}" for _ in range(5))
    links = "\n".join(f"- [{names[name]}]({name}.md)" for name in dice.sample(sorted(names), 4))
    return "\n\n".join(
        [*parts, steps, "```\nyard run --page " + title.split()[0].lower() + "\n```", "## See also", links, ""]
    )


def _paragraph(dice: random.Random, title: str) -> str:
    sentences = [f"{_one(dice, WHO).capitalize()} {_deed(dice, title)}." for _ in range(dice.randrange(4, 8))]
    return " ".join(sentences)


def _one(dice: random.Random, words: str) -> str:
    return dice.choice(words.split("|"))


def _deed(dice: random.Random, title: str) -> str:
    subject = dice.choice((title.split()[0], *SUBJECTS)).lower()
    what = f"{_one(dice, WHAT)} {_one(dice, WHOSE)} *{subject}*"
    return f"{what} {_one(dice, WHEN)}, {_one(dice, HOW)}"
