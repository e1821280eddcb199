"""Who has done what: every verb that changes something on somebody's wish says so here.

The lower rooms know no accounts: they name the action and what it was done to, and `by` where they know it. Whoever
keeps the record (the dashboard) listens, in the transaction of the change: no change without its entry, no entry
without the change.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Model
from django.dispatch import Signal

# Sent with `action`, `target` (a Target), `before`, `after` (dicts of what JSON can hold) and `by` (a name or "").
acted = Signal()

TEXT_LENGTH = 300  # characters that are kept of one value
MOST_ITEMS = 20  # of a list or a dict
HIDDEN = frozenset(("environment", "secrets", "password"))  # fields whose values are never kept


class Target(NamedTuple):
    """What an action was done to. Its kind is the first word of the action: `worker` of `worker.pause`."""

    id: int | None
    label: str

    @classmethod
    def of(cls, row: Model) -> "Target":
        """A row, by its number and its name."""
        return cls(row.pk, str(row))


def record(
    action: str,
    target: "Model | Target | None" = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: str = "",
) -> None:
    """Say that `action` ("kind.verb") was done to `target`; None where there is only one of its kind.

    `before` and `after` hold the fields that have changed, never a secret; long values are cut. To be called inside the
    transaction of the change.
    """
    found = Target.of(target) if isinstance(target, Model) else target or Target(None, "")
    kept = {"before": small(before or {}), "after": small(after or {})}
    acted.send(sender=None, action=action, target=found, by=by, **kept)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The items that differ, as they were and as they are; of what may hold secrets only the names."""
    names = [name for name in new if name not in old or old[name] != new[name]]
    before, after = {name: old[name] for name in names if name in old}, {name: new[name] for name in names}
    for name in HIDDEN & set(names):
        was, now = old.get(name), new[name]
        before |= {name: _names(was, was)} if name in before else {}
        after[name] = _names(now, was)
    return before, after


def _names(values: Any, old: Any) -> Any:
    """The names in a dict, saying which have another value than before; of anything else only that there is a value."""
    if not isinstance(values, Mapping):
        return "a value" if values else ""
    known = old if isinstance(old, Mapping) else {}
    return [f"{name} (new value)" if known.get(name, values[name]) != values[name] else name for name in sorted(values)]


def small(value: Any) -> Any:
    """The value as JSON can hold it, with long texts and lists cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key)[:TEXT_LENGTH]: small(one) for key, one in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        more = [f"… {len(items) - MOST_ITEMS} more"] if len(items) > MOST_ITEMS else []
        return [*map(small, items[:MOST_ITEMS]), *more]
    text = str(value)
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]}…"
