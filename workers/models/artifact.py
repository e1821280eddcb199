"""What an attempt has left: the files that its chunk declares, and how the tests ended that they tell of."""

from pathlib import Path

from django.db import models

from specs import limits
from specs.fields import CleanCharField, CleanJSONField
from workers.models.attempt import Attempt
from workers.states import ArtifactKind


class Artifact(models.Model):
    """A file, copied out of the workspace. `path` is the one that it had there, as text, and has below `directory`."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="artifacts")
    path = CleanCharField(max_length=limits.PATH_LENGTH)
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    kind = models.CharField(max_length=10, choices=ArtifactKind.choices, default=ArtifactKind.FILE)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=tuple(ArtifactKind.values)), name="artifact_kind_is_known"
            ),
            models.CheckConstraint(condition=models.Q(size__gte=0), name="artifact_size_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def file(self) -> Path:
        """Where it is, on the machine that ran the attempt."""
        return self.attempt.artifacts_path / self.path


class TestReport(models.Model):
    """How the tests ended that one file tells of. `cases`: those that failed first, each with what it said."""

    __test__ = False  # for pytest, to which the name looks like a test

    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="report")
    tests = models.PositiveIntegerField()
    failures = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    skipped = models.PositiveIntegerField()
    seconds = models.FloatField()
    cases = CleanJSONField(default=list)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.tests} tests in {self.artifact}"
