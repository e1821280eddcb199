"""Projects, the specs that belong to them, and the chunks that a spec is made of."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import ProtectedError, Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from specs import limits
from specs.acting import Target, record
from specs.agents import AgentProfile, Permission
from specs.errors import ProjectInUse, SpecInUse
from specs.fields import CleanCharField, CleanJSONField, CleanTextField, valid_name
from specs.secrets import Secret
from specs.signals import spec_in_use

__all__ = ["AgentProfile", "Chunk", "Isolation", "OnFailure", "Permission", "Project", "Secret", "Spec"]


class Isolation(models.TextChoices):
    """Where the workers of a project work."""

    WORKTREE = "worktree", "Git worktree"  # each worker in a worktree and on a branch of its own
    COPY = "copy", "Copy"  # each worker in a copy of the directory
    IN_PLACE = "in_place", "In place"  # all workers in the directory itself


class OnFailure(models.TextChoices):
    """What a run does when a chunk has failed for good."""

    STOP = "stop", "Stop"  # the run fails at once
    CONTINUE = "continue", "Continue"  # the rest runs; what depends on the chunk is skipped


def _who_refers(error: ProtectedError) -> str:
    """A sentence for what the database holds on to, such as "Rows that stay refer to it: workers."."""
    kinds = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
    return f"Rows that stay refer to it: {', '.join(kinds)}."


class Project(models.Model):
    """A directory of work with the commands and limits that all its specs share."""

    name = CleanCharField(max_length=limits.NAME_LENGTH, unique=True, validators=[valid_name])
    directory = CleanCharField(max_length=limits.PATH_LENGTH, help_text="An absolute path.")
    default_branch = CleanCharField(max_length=limits.TITLE_LENGTH, blank=True, default="main")
    isolation = CleanCharField(max_length=20, choices=Isolation.choices, default=Isolation.COPY)
    setup_command = CleanTextField(blank=True, default="")
    teardown_command = CleanTextField(blank=True, default="")
    review_command = CleanTextField(blank=True, default="", help_text="Reviews chunks that have no review.")
    environment = CleanJSONField(blank=True, default=dict)
    max_workers = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(limits.PROJECT_WORKERS_MOST)],
        help_text="How many workers at once; empty: no limit of its own.",
    )
    default_executor = CleanCharField(max_length=limits.NAME_LENGTH, default="command")
    default_profile = CleanCharField(
        max_length=limits.NAME_LENGTH, blank=True, default="", help_text="The agent of chunks that name none."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="project_has_a_name", condition=~Q(name="")),
            models.CheckConstraint(name="project_directory_is_absolute", condition=Q(directory__startswith="/")),
            models.CheckConstraint(
                name="project_isolation_is_known",
                condition=Q(isolation__in=("worktree", "copy", "in_place")),
            ),
            models.CheckConstraint(
                name="project_limit_is_1_to_1000_or_none",
                condition=Q(max_workers__isnull=True)
                | Q(max_workers__gte=1, max_workers__lte=limits.PROJECT_WORKERS_MOST),
            ),
            models.CheckConstraint(name="project_has_a_default_executor", condition=~Q(default_executor="")),
        ]

    def __str__(self) -> str:
        return self.name

    def remove(self) -> None:
        """Deletes the project and its specs; raises ProjectInUse, deleting nothing, while one is needed.

        A project with history stays too: what has run keeps referring to it.
        """
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=self.pk)
            target, specs = Target.of(self), list(self.specs.select_for_update().order_by("pk"))
            try:
                for spec in specs:
                    spec.delete()
                self.delete()
            except SpecInUse as error:
                raise ProjectInUse(str(error)) from error
            except ProtectedError as error:
                raise ProjectInUse(_who_refers(error)) from error
            before = {"directory": self.directory, "specs": [spec.key for spec in specs]}
            record("project.delete", target, before=before)


class Spec(models.Model):
    """A piece of work for one project: ordered chunks and how to treat them."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="specs")
    key = CleanCharField(
        max_length=limits.NAME_LENGTH,
        validators=[valid_name],
        help_text="Stable name within the project; a spec from a file is named after it.",
    )
    title = CleanCharField(max_length=limits.TITLE_LENGTH)
    description = CleanTextField(blank=True, default="")
    priority = models.SmallIntegerField(
        default=0,
        validators=[MinValueValidator(limits.PRIORITY_LOWEST), MaxValueValidator(limits.PRIORITY_HIGHEST)],
        help_text="Higher starts first.",
    )
    on_failure = CleanCharField(max_length=20, choices=OnFailure.choices, default=OnFailure.STOP)
    max_attempts = models.PositiveSmallIntegerField(
        default=limits.ATTEMPTS_DEFAULT,
        validators=[MinValueValidator(limits.ATTEMPTS_FEWEST), MaxValueValidator(limits.ATTEMPTS_MOST)],
        help_text="Attempts per chunk.",
    )
    touches = CleanJSONField(blank=True, default=list)
    source_path = CleanCharField(
        max_length=limits.PATH_LENGTH,
        blank=True,
        default="",
        help_text="The file that it was imported from, relative to the project where it lies inside.",
    )
    source_hash = CleanCharField(max_length=64, blank=True, default="", help_text="SHA-256 of that file.")
    imported_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="spec_key_is_unique_in_its_project"),
            models.CheckConstraint(name="spec_has_a_key", condition=~Q(key="")),
            models.CheckConstraint(name="spec_has_a_title", condition=~Q(title="")),
            models.CheckConstraint(
                name="spec_priority_is_minus_100_to_100",
                condition=Q(priority__gte=limits.PRIORITY_LOWEST, priority__lte=limits.PRIORITY_HIGHEST),
            ),
            models.CheckConstraint(
                name="spec_on_failure_is_stop_or_continue", condition=Q(on_failure__in=("stop", "continue"))
            ),
            models.CheckConstraint(
                name="spec_attempts_are_1_to_20",
                condition=Q(max_attempts__gte=limits.ATTEMPTS_FEWEST, max_attempts__lte=limits.ATTEMPTS_MOST),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def in_use(self) -> str:
        """Who needs this spec, as a sentence; empty when nobody does."""
        answers = (answer for _, answer in spec_in_use.send(sender=Spec, spec=self))
        return " ".join(answer for answer in answers if answer)

    def remove(self) -> None:
        """Deletes the spec with its chunks. Raises SpecInUse, with the reason, while somebody needs it."""
        with transaction.atomic():
            # With the row locked no worker or entry can begin to refer to it between question and deletion.
            locked = Spec.objects.select_for_update().get(pk=self.pk)
            if reason := locked.in_use():
                raise SpecInUse(reason)
            target, before = Target.of(locked), {"project": locked.project.name, "key": locked.key}
            try:
                locked.delete()
            except ProtectedError as error:
                raise SpecInUse(_who_refers(error)) from error
            record("spec.delete", target, before=before)


@receiver(pre_delete, sender=Spec)
def refuse_to_delete_a_spec_in_use(instance: Spec, **_: Any) -> None:
    """Holds for every way of deleting: `remove`, the admin, a query set."""
    if reason := instance.in_use():
        raise SpecInUse(reason)


class Chunk(models.Model):
    """One step of a spec: what to do, with which executor, and how to tell that it is done."""

    spec = models.ForeignKey(Spec, on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField(help_text="Place in the spec, from 1.")
    key = CleanCharField(max_length=limits.NAME_LENGTH, validators=[valid_name])
    title = CleanCharField(max_length=limits.TITLE_LENGTH)
    instructions = CleanTextField(blank=True, default="")
    acceptance = CleanJSONField(blank=True, default=list)
    executor = CleanCharField(max_length=limits.NAME_LENGTH, default="command")
    params = CleanJSONField(blank=True, default=dict)
    review = CleanJSONField(blank=True, default=dict, help_text='Empty, {"command": "…"}, {"agent": {…}} or both.')
    timeout = models.PositiveIntegerField(
        default=limits.TIMEOUT_DEFAULT,
        validators=[MinValueValidator(limits.TIMEOUT_SHORTEST), MaxValueValidator(limits.TIMEOUT_LONGEST)],
        help_text="Seconds.",
    )
    depends_on = CleanJSONField(blank=True, default=list, help_text="Keys of chunks of the same spec.")
    files = CleanJSONField(blank=True, default=list)
    artifacts = CleanJSONField(blank=True, default=list)

    class Meta:
        ordering = ["ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["spec", "key"], name="chunk_key_is_unique_in_its_spec"),
            models.UniqueConstraint(fields=["spec", "ordinal"], name="chunk_place_is_unique_in_its_spec"),
            models.CheckConstraint(name="chunk_place_counts_from_1", condition=Q(ordinal__gte=1)),
            models.CheckConstraint(name="chunk_has_a_key", condition=~Q(key="")),
            models.CheckConstraint(name="chunk_has_a_title", condition=~Q(title="")),
            models.CheckConstraint(name="chunk_has_an_executor", condition=~Q(executor="")),
            models.CheckConstraint(
                name="chunk_timeout_is_10_seconds_to_24_hours",
                condition=Q(timeout__gte=limits.TIMEOUT_SHORTEST, timeout__lte=limits.TIMEOUT_LONGEST),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ordinal}. {self.title}"
