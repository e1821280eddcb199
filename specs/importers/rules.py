"""What must hold for a whole spec, whatever format it came from, beyond the shape of its single fields."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import chain, islice

from specs import executors, profiles
from specs.errors import SpecInvalid
from specs.importers.document import ChunkDocument, SpecDocument
from specs.importers.messages import MOST_ERRORS, did_you_mean
from specs.importers.safe_yaml import shorten

Errors = Iterator[tuple[str, str]]
_NAMED_PARAMETER = re.compile(r"([A-Za-z_][\w.\[\]]*): (.+)", re.DOTALL)


def checked(document: SpecDocument) -> SpecDocument:
    """`document` with its chunks in an order that can run. Raises SpecInvalid; its paths count from 0."""
    chunks = document.chunks
    found = chain(_duplicate_keys(chunks), _unknown_dependencies(chunks), _executors(chunks), _profiles(chunks))
    if errors := list(islice(found, MOST_ERRORS)) or _cycle(chunks):
        raise SpecInvalid(errors)
    return replace(document, chunks=_in_running_order(chunks))


def _duplicate_keys(chunks: Sequence[ChunkDocument]) -> Errors:
    first: dict[str, int] = {}
    for index, chunk in enumerate(chunks):
        if (earlier := first.setdefault(chunk.key, index)) != index:
            yield f"chunks[{index}].key", f'"{chunk.key}" is the key of chunks[{earlier}] too'


def _unknown_dependencies(chunks: Sequence[ChunkDocument]) -> Errors:
    keys = {chunk.key for chunk in chunks}
    for index, chunk in enumerate(chunks):
        for place, key in enumerate(chunk.depends_on):
            if key not in keys:
                message = f'no chunk has the key "{key}"{did_you_mean(key, sorted(keys))}'
                yield f"chunks[{index}].depends_on[{place}]", message


def _executors(chunks: Sequence[ChunkDocument]) -> Errors:
    known = executors.known()
    names = ", ".join(sorted(known))
    for index, chunk in enumerate(chunks):
        if validate := known.get(chunk.executor):
            for message in validate(chunk.params):
                yield _parameter_error(index, message)
        else:
            message = f'"{chunk.executor}" is not an executor of this installation; known: {names}'
            yield f"chunks[{index}].executor", message


def _parameter_error(index: int, message: str) -> tuple[str, str]:
    """The validator's sentence, its leading parameter name moved into the field path."""
    path = f"chunks[{index}].params"
    named = _NAMED_PARAMETER.fullmatch(message)
    return (f"{path}.{named[1]}", named[2]) if named else (path, message)


def _profiles(chunks: Sequence[ChunkDocument]) -> Errors:
    """Agent profiles that a chunk names and that do not exist; looked up only where one is named."""
    named = [place for index, chunk in enumerate(chunks) for place in _profiles_of(index, chunk)]
    known = profiles.known() if named else []
    for path, name in named:
        if name not in known:
            message = f'"{shorten(name)}" is not an agent profile{did_you_mean(name, known) or ";"}'
            yield path, f"{message} known: {', '.join(known) or 'none'}"


def _profiles_of(index: int, chunk: ChunkDocument) -> Iterator[tuple[str, str]]:
    """(field path, name) of each profile that the chunk names."""
    places = {
        f"chunks[{index}].params.profile": chunk.params.get("profile") if chunk.executor == executors.AGENT else "",
        f"chunks[{index}].review.agent.profile": chunk.review.get("agent", {}).get("profile"),
    }
    yield from ((path, name) for path, name in places.items() if isinstance(name, str) and name)


def _cycle(chunks: Sequence[ChunkDocument]) -> list[tuple[str, str]]:
    try:
        TopologicalSorter({chunk.key: chunk.depends_on for chunk in chunks}).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))  # each depends on the next one
        index = next(index for index, chunk in enumerate(chunks) if chunk.key == cycle[0])
        return [(f"chunks[{index}].depends_on", f"the dependencies form a cycle: {' → '.join(cycle)}")]
    return []


def _in_running_order(chunks: Sequence[ChunkDocument]) -> list[ChunkDocument]:
    """The written order, except that each chunk comes after those it depends on."""
    by_key = {chunk.key: chunk for chunk in chunks}
    ordered: dict[str, ChunkDocument] = {}
    for chunk in chunks:
        waiting = [chunk.key]
        while waiting:
            missing = [key for key in by_key[waiting[-1]].depends_on if key not in ordered]
            if missing:
                waiting += reversed(missing)
            else:
                key = waiting.pop()
                ordered.setdefault(key, by_key[key])
    return list(ordered.values())
