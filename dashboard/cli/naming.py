"""What people call projects, specs and nodes, found by way of the API."""

from typing import Any

from dashboard.cli.calling import Api
from dashboard.cli.refusal import BadInput, NotFound

LARGEST = 2**63 - 1  # number of a row
MOST_WORDS = 8  # that the API looks for
LONGEST_SEARCH = 200
TOLD = 5


def _number(word: str) -> int | None:
    """The number that a word is, if it is one."""
    number = int(word) if word.isascii() and word.isdecimal() and len(word) < 20 else 0
    return number if 0 < number <= LARGEST else None


def project(api: Api, word: str) -> int:
    """The number of a project that is called by its name, else by its number. Raises NotFound."""
    if len(word) <= LONGEST_SEARCH and (found := api.get("/projects", name=word)["items"]):
        return int(found[0]["id"])
    if (number := _number(word)) is not None:
        return int(api.get(f"/projects/{number}")["id"])
    known = ", ".join(item["name"] for item in api.items("/projects", 20)["items"])
    raise NotFound(f'There is no project "{word}". Known: {known or "none yet"}.')


def node(api: Api, word: str) -> int:
    """The number of a node that is called by its name, else by its number. Raises NotFound."""
    known = api.items("/nodes")["items"]
    for name in ("name", "id"):
        for each in known:
            if str(each[name]) == word:
                return int(each["id"])
    names = ", ".join(each["name"] for each in known)
    raise NotFound(f'There is no node "{word}". Known: {names or "none yet"}.')


def spec(api: Api, word: str) -> int:
    """The number of a spec: given as that, as project/key, or by its title where no other has it.

    Raises NotFound, or BadInput when several are called so.
    """
    if (number := _number(word)) is not None:
        return int(api.get(f"/specs/{number}")["id"])
    found = _by_key(api, word) or _by_title(api, word)
    if len(found) == 1:
        return int(found[0]["id"])
    if found:
        raise BadInput(f'SPEC: several are called "{word}": {_told(found)}. Name one by its number or project/key.')
    near = _search(api, word)
    raise NotFound(f'There is no spec "{word}".' + (f" Perhaps {_told(near)}." if near else ""))


def _by_key(api: Api, word: str) -> list[Any]:
    name, slash, key = word.rpartition("/")
    if not slash or not 0 < len(key) <= LONGEST_SEARCH or not 0 < len(name) <= LONGEST_SEARCH:
        return []
    projects = api.get("/projects", name=name)["items"]
    return list(api.get("/specs", project=projects[0]["id"], key=key)["items"]) if projects else []


def _by_title(api: Api, word: str) -> list[Any]:
    found = [item for item in _search(api, word) if item["title"].casefold() == word.casefold()]
    return [item for item in found if item["title"] == word] or found


def _search(api: Api, word: str) -> list[Any]:
    words = " ".join(word.split()[:MOST_WORDS])[:LONGEST_SEARCH]
    return list(api.items("/specs", q=words)["items"]) if words else []


def _told(found: list[Any]) -> str:
    told = ", ".join(f"{item['project']['name']}/{item['key']} ({item['id']})" for item in found[:TOLD])
    return told + (f" and {len(found) - TOLD} more" if len(found) > TOLD else "")
