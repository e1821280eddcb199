"""Secrets of projects and of agent profiles: variables whose values go to processes and are never shown again.

    set_secret(project, "DEPLOY_TOKEN", value, by="mira")
    values_of(project)                                       for the processes that get them, and for nothing else

What is stored is encrypted (`specs.encryption`). Values may be set, replaced and deleted; names may be listed.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models, transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from specs import encryption, limits
from specs.acting import Target, record
from specs.errors import SecretUnreadable, SpecInvalid
from specs.fields import CleanCharField
from specs.text import is_storable

if TYPE_CHECKING:
    from specs.agents import AgentProfile
    from specs.models import Project

    Owner: TypeAlias = Project | AgentProfile

SHORTEST = 6  # characters of one line at least: what is shorter cannot be hidden in output without shredding it


class Secret(models.Model):
    """A variable of a project's commands and agents, or of a profile's agent. `value` is encrypted."""

    project = models.ForeignKey("specs.Project", models.CASCADE, null=True, editable=False, related_name="secrets")
    profile = models.ForeignKey("specs.AgentProfile", models.CASCADE, null=True, editable=False, related_name="secrets")
    name = CleanCharField(max_length=limits.NAME_LENGTH, editable=False)
    value = models.TextField(editable=False)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = CleanCharField(max_length=limits.TITLE_LENGTH, blank=True, default="", editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="secret_belongs_to_a_project_or_a_profile",
                condition=Q(project__isnull=True, profile__isnull=False)
                | Q(project__isnull=False, profile__isnull=True),
            ),
            models.CheckConstraint(name="secret_has_a_name", condition=~Q(name="")),
            models.CheckConstraint(name="secret_has_a_value", condition=~Q(value="")),
            models.UniqueConstraint(fields=["project", "name"], name="secret_is_unique_in_its_project"),
            models.UniqueConstraint(fields=["profile", "name"], name="secret_is_unique_in_its_profile"),
        ]

    def __str__(self) -> str:
        return self.name


def kind_of(owner: "Owner") -> str:
    """What people call the owner's kind: "project" or "profile"."""
    return "project" if owner._meta.model_name == "project" else "profile"


# Verbs


@sensitive_variables("value")
def set_secret(owner: "Owner", name: str, value: str, *, by: str = "") -> Secret:
    """Stores a secret, or replaces its value. Raises SpecInvalid with `name` or `value`, or KeyUnusable."""
    if problems := [*_name_problems(name), *_value_problems(value), *_too_many(owner, {name: value})]:
        raise SpecInvalid(problems)
    with transaction.atomic():
        _lock(owner)
        stored = encryption.encrypt(value)  # now: while waiting for the lock, the key may have become an old one
        found, is_new = owner.secrets.update_or_create(name=name, defaults={"value": stored, "changed_by": by})
        _record("secret.create" if is_new else "secret.replace", owner, found, by)
    return found


def remove_secret(owner: "Owner", name: str, *, by: str = "") -> bool:
    """Deletes a secret; False when there is none of that name."""
    with transaction.atomic():
        _lock(owner)
        found = owner.secrets.filter(name=name).first()
        if found is None:
            return False
        _record("secret.delete", owner, found, by)
        found.delete()
    return True


@sensitive_variables("change")
def check_change(owner: "Owner", change: Mapping[str, str | None]) -> None:
    """Raises SpecInvalid, about `secrets` and without any value, if `change_secrets` would not store them."""
    for name, value in change.items():
        if value is not None and (problems := [*_name_problems(name), *_value_problems(value)]):
            raise SpecInvalid([("secrets", f"{name[:60]}: {problems[0][1]}")])
    if problems := list(_too_many(owner, change)):
        raise SpecInvalid([("secrets", problems[0][1])])


@sensitive_variables("change")
def change_secrets(owner: "Owner", change: Mapping[str, str | None], *, by: str = "") -> None:
    """Sets several at once; None removes one. Raises SpecInvalid, about `secrets` and without any value."""
    check_change(owner, change)
    with transaction.atomic():
        for name in sorted(change, key=lambda name: change[name] is not None):  # first those that go
            value = change[name]
            if value is None:
                remove_secret(owner, name, by=by)
            else:
                set_secret(owner, name, value, by=by)


def values_of(owner: "Owner") -> dict[str, str]:
    """All values, by name. Raises SecretUnreadable, saying what to do, when one cannot be decrypted."""
    return {secret.name: _value(secret, owner) for secret in owner.secrets.all()}


def values_to_hide(project: "Project") -> list[str]:
    """What must not be seen of work for the project: its values and those of all profiles, where they can be read."""
    return list(_readable(Secret.objects.filter(Q(project=project) | Q(profile__isnull=False))))


@sensitive_variables()
def _readable(found: "models.QuerySet[Secret]") -> Iterator[str]:
    for stored in found.values_list("value", flat=True):
        try:
            yield encryption.decrypt(stored)
        except SecretUnreadable:
            continue


def encrypt_anew() -> int:
    """Encrypts what is not under the first key with it; gives how many. Safe to repeat, to interrupt and to race.

    Raises SecretUnreadable when some of it is under no key that is here; the others are under the first one then.
    """
    changed, unreadable = 0, ""
    for secret in Secret.objects.select_related("project", "profile").order_by("pk").iterator():
        if encryption.is_under_first_key(secret.value):
            continue
        owner = secret.project or secret.profile
        assert owner is not None
        try:
            again = encryption.encrypt(_value(secret, owner))
        except SecretUnreadable as error:
            unreadable = unreadable or str(error)
            continue
        changed += Secret.objects.filter(pk=secret.pk, value=secret.value).update(value=again)
    for model, field in _others:
        for pk, stored in _column(model, field):
            if encryption.is_under_first_key(stored):
                continue
            try:
                again = encryption.encrypt(encryption.decrypt(stored))
            except SecretUnreadable:
                unreadable = unreadable or f"Nobody can decrypt the secret of {model._meta.verbose_name} {pk}."
                continue
            changed += model._default_manager.filter(pk=pk, **{field: stored}).update(**{field: again})
    if unreadable:
        raise SecretUnreadable(unreadable)
    return changed


def all_under_first_key() -> bool:
    """Whether no key but the first is needed any more. Raises KeyUnusable."""
    columns: list[tuple[type[models.Model], str]] = [(Secret, "value"), *_others]
    return all(encryption.is_under_first_key(stored) for column in columns for _, stored in _column(*column))


_others: "list[tuple[type[models.Model], str]]" = []


def also_encrypted(model: type[models.Model], field: str) -> None:
    """Another column of texts under the same keys, of a layer above: it changes keys with the secrets."""
    if (model, field) not in _others:
        _others.append((model, field))


def _column(model: type[models.Model], field: str) -> Iterator[tuple[int, str]]:
    yield from model._default_manager.order_by("pk").values_list("pk", field).iterator()


# What is right


def _name_problems(name: str) -> Iterator[tuple[str, str]]:
    if not name:
        yield "name", 'is required, for example "DEPLOY_TOKEN"'
    elif not (name.isascii() and name.isidentifier()):
        yield "name", f'"{name[:60]}" cannot be the name of an environment variable'
    elif name.startswith(limits.RESERVED):
        yield "name", f"names that begin with {limits.RESERVED} are Specyard's own ({name[:60]})"
    elif len(name) > limits.NAME_LENGTH:
        yield "name", f"must have at most {limits.NAME_LENGTH} characters"


def _too_many(owner: "Owner", change: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    there = set(owner.secrets.values_list("name", flat=True)) if owner.pk else set()
    kept = (there | set(change)) - {name for name, value in change.items() if value is None}
    if len(kept) > max(limits.ENVIRONMENT_VARIABLES, len(there)):
        yield "name", f"there are {len(there)} secrets already; {limits.ENVIRONMENT_VARIABLES} is the most"


def _value_problems(value: str) -> Iterator[tuple[str, str]]:
    """What is wrong with it, without saying it."""
    if not value.strip():
        yield "value", "has no value"
    elif not is_storable(value):
        yield "value", "must not contain NUL or half of a character"
    elif len(value) > limits.COMMAND_LENGTH:
        yield "value", f"must have at most {limits.COMMAND_LENGTH:,} characters"
    elif max(len(line.strip()) for line in value.splitlines()) < SHORTEST:
        yield "value", f"must have a line of at least {SHORTEST} characters: less cannot be hidden in logs"


@sensitive_variables()
def _value(secret: Secret, owner: "Owner") -> str:
    try:
        return encryption.decrypt(secret.value)
    except SecretUnreadable as error:
        whose = f"the secret {secret.name} of the {kind_of(owner)} {owner}"
        if type(error) is not SecretUnreadable:  # the keys themselves
            raise type(error)(f"{str(error).rstrip('.')}, so {whose} cannot be used.") from None
        raise SecretUnreadable(
            f"Nobody can decrypt {whose}: it was stored under a key that is not here. "
            "Bring that key back (docs/secrets.md), or set the secret again."
        ) from None


def _record(action: str, owner: "Owner", secret: Secret, by: str) -> None:
    about = {"name": secret.name, kind_of(owner): str(owner)}
    record(action, Target(secret.pk, f"{owner}: {secret.name}"), after=about, by=by)


def _lock(owner: "Owner") -> Any:
    """Two changes at once take turns; `no_key` keeps out of the way of rows that refer to the owner."""
    return type(owner)._default_manager.select_for_update(no_key=True).filter(pk=owner.pk).first()
