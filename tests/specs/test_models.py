import pytest
from django.db import IntegrityError, models, transaction

from specs.editing import save_text
from specs.errors import ProjectInUse, SpecInUse
from specs.models import Chunk, Project, Spec
from specs.signals import spec_in_use
from tests.specs.conftest import TWO_CHUNKS

pytestmark = pytest.mark.django_db


@pytest.fixture
def spec(project) -> Spec:
    return save_text(project, "hello", TWO_CHUNKS).spec


@pytest.fixture
def needed():
    """Specs whose ids are in this set are in use."""
    ids: set[int] = set()

    def answer(spec: Spec, **_: object) -> str | None:
        return "Worker 12 runs it." if spec.pk in ids else None

    spec_in_use.connect(answer)
    yield ids
    spec_in_use.disconnect(answer)


def refused(model: type[models.Model], constraint: str, **changes: object) -> None:
    """An update by these values is refused by the constraint of that name."""
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**changes)


@pytest.mark.parametrize(
    ("model", "constraint", "changes"),
    [
        (Project, "project_has_a_name", {"name": ""}),
        (Project, "project_directory_is_absolute", {"directory": "relative"}),
        (Project, "project_isolation_is_known", {"isolation": "docker"}),
        (Project, "project_limit_is_1_to_1000_or_none", {"max_workers": 0}),
        (Project, "project_limit_is_1_to_1000_or_none", {"max_workers": 1001}),
        (Project, "project_has_a_default_executor", {"default_executor": ""}),
        (Spec, "spec_has_a_key", {"key": ""}),
        (Spec, "spec_has_a_title", {"title": ""}),
        (Spec, "spec_priority_is_minus_100_to_100", {"priority": 101}),
        (Spec, "spec_priority_is_minus_100_to_100", {"priority": -101}),
        (Spec, "spec_on_failure_is_stop_or_continue", {"on_failure": "explode"}),
        (Spec, "spec_attempts_are_1_to_20", {"max_attempts": 0}),
        (Spec, "spec_attempts_are_1_to_20", {"max_attempts": 21}),
        (Chunk, "chunk_has_a_key", {"key": ""}),
        (Chunk, "chunk_has_a_title", {"title": ""}),
        (Chunk, "chunk_has_an_executor", {"executor": ""}),
        (Chunk, "chunk_place_counts_from_1", {"ordinal": 0}),
        (Chunk, "chunk_timeout_is_10_seconds_to_24_hours", {"timeout": 9}),
        (Chunk, "chunk_timeout_is_10_seconds_to_24_hours", {"timeout": 86401}),
    ],
)
def test_the_database_refuses_nonsense(project, model, constraint, changes):
    save_text(project, "hello", "title: T\nchunks: [{title: A}]")
    refused(model, constraint, **changes)


def test_names_places_and_keys_are_unique(project, spec):
    with pytest.raises(IntegrityError), transaction.atomic():
        Project.objects.create(name=project.name, directory="/x")
    with pytest.raises(IntegrityError), transaction.atomic():
        Spec.objects.create(project=project, key=spec.key, title="T")
    for clash in ({"key": "first", "ordinal": 9}, {"key": "new", "ordinal": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Chunk.objects.create(spec=spec, title="T", **clash)


def test_two_projects_may_have_specs_of_one_key(spec):
    other = Project.objects.create(name="other", directory="/other")
    assert save_text(other, spec.key, TWO_CHUNKS).created


def test_text_that_no_database_takes_is_cleaned_on_the_way(project, spec):
    spec.title, spec.description = "a\0b\ud800", "c\0d"
    spec.touches = ["e\0f", {"g\0": "\udfff"}]
    spec.save()
    spec.refresh_from_db()
    assert (spec.title, spec.description, spec.touches) == ("ab", "cd", ["ef", {"g": ""}])
    assert Spec.objects.filter(title="a\0b").get() == spec


def test_a_removed_spec_takes_its_chunks_along(spec):
    spec.remove()
    assert not Spec.objects.exists()
    assert not Chunk.objects.exists()


def test_a_spec_in_use_is_not_removed(spec, needed):
    needed.add(spec.pk)
    assert spec.in_use() == "Worker 12 runs it."
    with pytest.raises(SpecInUse, match=r"Worker 12 runs it\."):
        spec.remove()
    assert Chunk.objects.count() == 2
    needed.clear()
    spec.remove()


def test_no_other_way_of_deleting_gets_around_it(spec, needed):
    needed.add(spec.pk)
    for delete in (spec.delete, Spec.objects.all().delete):
        with pytest.raises(SpecInUse), transaction.atomic():
            delete()
    assert Chunk.objects.count() == 2


def test_several_reasons_are_all_told(spec, needed):
    def entry(**_: object) -> str:
        return "It waits in the queue."

    needed.add(spec.pk)
    spec_in_use.connect(entry)
    try:
        with pytest.raises(SpecInUse, match=r"Worker 12 runs it\. It waits in the queue\."):
            spec.remove()
    finally:
        spec_in_use.disconnect(entry)


def test_removing_a_spec_twice_is_told(spec):
    again = Spec.objects.get()
    spec.remove()
    with pytest.raises(Spec.DoesNotExist):
        again.remove()


def test_a_project_goes_with_its_specs_or_not_at_all(project, spec, needed):
    other = save_text(project, "other", TWO_CHUNKS).spec
    needed.add(other.pk)
    with pytest.raises(ProjectInUse, match=r"Worker 12 runs it\."):
        project.remove()
    assert Spec.objects.count() == 2
    needed.clear()
    project.remove()
    assert not Project.objects.exists()


def test_a_project_with_specs_is_not_deleted_by_accident(project, spec):
    with pytest.raises(models.ProtectedError):
        project.delete()
