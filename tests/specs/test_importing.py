import os
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from specs import limits
from specs.errors import SpecInvalid
from specs.importing import import_file, import_path
from specs.models import Chunk, Project, Spec
from specs.storing import document_of
from tests.specs.conftest import TWO_CHUNKS

pytestmark = pytest.mark.django_db


def errors(path: Path | str, project: Project | None = None) -> dict[str, str]:
    """The refusal of an import, which must have stored nothing."""
    before = [*Project.objects.values(), *Spec.objects.values(), *Chunk.objects.values()]
    with pytest.raises(SpecInvalid) as caught:
        import_path(path, project)
    assert [*Project.objects.values(), *Spec.objects.values(), *Chunk.objects.values()] == before
    return dict(caught.value.errors)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec that no project knows yet."""
    (tmp_path / "My Garden" / ".specyard").mkdir(parents=True)
    (tmp_path / "My Garden" / ".specyard" / "hello.yaml").write_text(TWO_CHUNKS)
    return tmp_path / "My Garden"


def test_a_file_becomes_a_spec(project, write):
    result = import_file(write(), project)
    spec = result.spec
    assert (result.created, result.changed) == (True, True)
    assert (spec.project, spec.key, spec.title, spec.priority) == (project, "hello", "Greetings", 5)
    assert (spec.source_path, len(spec.source_hash)) == (".specyard/hello.yaml", 64)
    assert spec.imported_at is not None
    assert [(chunk.ordinal, chunk.key, chunk.depends_on) for chunk in spec.chunks.all()] == [
        (1, "first", []),
        (2, "second", ["first"]),
    ]


def test_an_unchanged_file_changes_nothing(project, write):
    first = import_file(write(), project).spec
    again = import_file(write(), project)
    assert (again.created, again.changed) == (False, False)
    assert Spec.objects.get().updated_at == first.updated_at


def test_a_changed_comment_is_no_change_of_the_spec(project, write):
    first = import_file(write(), project).spec
    again = import_file(write(TWO_CHUNKS + "# a thought\n"), project)
    assert again.changed is False
    assert Spec.objects.get().updated_at == first.updated_at
    assert Spec.objects.get().source_hash != first.source_hash


def test_importing_again_keeps_the_rows_of_what_stays(project, write):
    spec = import_file(write(), project).spec
    rows = {chunk.key: chunk.pk for chunk in spec.chunks.all()}
    changed = """
title: Greetings, revised
chunks:
  - {key: second, title: Second first, params: {run: "echo 2"}}
  - {key: between, title: New}
  - {key: first, title: First last}
  - {key: end, title: New too}
"""
    result = import_file(write(changed), project)
    assert (result.created, result.changed, result.spec.pk) == (False, True, spec.pk)
    chunks = {chunk.key: chunk for chunk in result.spec.chunks.all()}
    assert list(chunks) == ["second", "between", "first", "end"]
    assert [chunk.ordinal for chunk in chunks.values()] == [1, 2, 3, 4]
    assert (chunks["first"].pk, chunks["second"].pk) == (rows["first"], rows["second"])
    assert (chunks["second"].params, chunks["second"].depends_on) == ({"run": "echo 2"}, [])
    assert (result.spec.description, result.spec.priority) == ("", 0)


def test_chunks_that_are_gone_from_the_file_go(project, write):
    import_file(write(), project)
    import_file(write("title: T\nchunks: [{key: second, title: Alone}]"), project)
    assert [(chunk.ordinal, chunk.key) for chunk in Chunk.objects.all()] == [(1, "second")]


def test_a_true_that_was_a_one_is_a_change(project, write):
    text = "title: T\nchunks: [{title: A, params: {n: %s}}]"
    import_file(write(text % "1"), project)
    assert import_file(write(text % "true"), project).changed
    assert Chunk.objects.get().params == {"n": True}


def test_what_is_stored_is_what_was_read(project, write):
    text = 'title: "é🙂"\nchunks: [{title: A, params: {a: [1, 0.5, null, true, "x"], b: {c: 1e3, d: 1.0e-7}}}]'
    spec = import_file(write(text), project).spec
    assert document_of(Spec.objects.get()).same_as(document_of(spec))
    assert Chunk.objects.get().params == {"a": [1, 0.5, None, True, "x"], "b": {"c": 1000, "d": 1e-7}}


def test_a_folder_gives_its_specs_and_its_project(folder):
    (folder / ".specyard" / "bye.yml").write_text("title: Bye\nchunks: [{title: A}]")
    (folder / ".specyard" / "notes.txt").write_text("no spec")
    (folder / ".specyard" / ".hidden.yaml").write_text("no spec")
    results = import_path(folder)
    assert [(result.spec.key, result.created) for result in results] == [("bye", True), ("hello", True)]
    project = Project.objects.get()
    assert (project.name, project.directory, project.isolation) == ("My-Garden", str(folder), "copy")
    assert {spec.project for spec in Spec.objects.all()} == {project}


def test_the_project_is_found_again(folder):
    import_path(folder)
    import_path(folder / ".specyard")
    import_path(folder / ".specyard" / "hello.yaml")
    assert Project.objects.count() == Spec.objects.count() == 1


def test_a_project_made_by_hand_is_used(folder):
    made = Project.objects.create(name="by-hand", directory=str(folder))
    assert import_path(folder)[0].spec.project == made


def test_a_file_outside_the_folder_belongs_to_gits_top_level(tmp_path):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "plans").mkdir()
    (tmp_path / "repo" / "plans" / "a.yaml").write_text(TWO_CHUNKS)
    spec = import_path(tmp_path / "repo" / "plans" / "a.yaml")[0].spec
    assert spec.project.directory == str(tmp_path / "repo")
    assert spec.source_path == "plans/a.yaml"


def test_a_part_of_a_repository_with_its_own_folder_is_its_own_project(tmp_path):
    (tmp_path / "mono" / ".git").mkdir(parents=True)
    (tmp_path / "mono" / "part" / ".specyard").mkdir(parents=True)
    (tmp_path / "mono" / "part" / ".specyard" / "a.yaml").write_text(TWO_CHUNKS)
    assert import_path(tmp_path / "mono" / "part")[0].spec.project.name == "part"


def test_a_taken_name_gets_a_number(folder):
    for name in ("My-Garden", "My-Garden-2"):
        Project.objects.create(name=name, directory=f"/somewhere/{name}")
    assert import_path(folder)[0].spec.project.name == "My-Garden-3"


def test_a_folder_without_a_name_in_latin_letters(tmp_path):
    (tmp_path / "庭" / ".specyard").mkdir(parents=True)
    (tmp_path / "庭" / ".specyard" / "a.yaml").write_text(TWO_CHUNKS)
    assert import_path(tmp_path / "庭")[0].spec.project.name == "project"


def test_a_link_to_the_folder_is_the_same_project(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    import_path(folder)
    import_path(tmp_path / "link")
    assert Project.objects.count() == 1


def test_the_files_name_is_made_fit_for_an_address(project, write):
    assert import_file(write(name="Größe & Höhe.yaml"), project).spec.key == "Groe-Hohe"
    assert import_file(write(name="v1.2_fix.yaml"), project).spec.key == "v1.2_fix"


def test_a_byte_order_mark_and_windows_line_ends_are_read(project, write):
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + TWO_CHUNKS.replace("\n", "\r\n").encode())
    assert import_file(path, project).spec.title == "Greetings"


def test_one_bad_file_refuses_the_whole_folder(folder):
    (folder / ".specyard" / "bad.yaml").write_text("title: T\nchunks: [{title: A, executor: agnt}]")
    (folder / ".specyard" / "worse.yaml").write_text("a: [")
    found = errors(folder)
    assert "is not an executor" in found["bad.yaml: chunks[0].executor"]
    assert "not valid YAML" in found["worse.yaml"]


def test_a_bad_change_leaves_the_spec_as_it_was(project, write):
    import_file(write(), project)
    write("title: T\nchunks: []")
    assert errors(project.directory) == {"hello.yaml: chunks": "needs at least one entry"}
    assert Spec.objects.get().title == "Greetings"


def test_two_files_for_one_key_are_refused(folder):
    (folder / ".specyard" / "hello.yml").write_text(TWO_CHUNKS)
    assert errors(folder) == {"hello.yml": 'would be the spec "hello", and so would hello.yaml'}


def test_a_file_of_50_megabytes_is_refused_unread(folder):
    with open(folder / ".specyard" / "huge.yaml", "wb") as file:
        file.truncate(50_000_000)
    started = time.monotonic()
    assert errors(folder) == {"huge.yaml": "has 50,000,000 bytes; a spec may have 1,048,576"}
    assert time.monotonic() - started < 2


def test_a_file_that_hides_its_size_is_read_within_bounds(monkeypatch, project, write):
    path = write("# " + "x" * limits.FILE_SIZE)
    honest = os.fstat

    def lying(descriptor: int) -> os.stat_result:
        fields = list(honest(descriptor))
        fields[stat.ST_SIZE] = 0
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", lying)
    with pytest.raises(SpecInvalid, match="has 1,048,577 bytes"):
        import_file(path, project)


def test_pipes_and_devices_are_not_read(folder):
    os.mkfifo(folder / "pipe.yaml")
    assert errors(folder / "pipe.yaml") == {"pipe.yaml": "is not a regular file"}
    (folder / "zero.yaml").symlink_to("/dev/zero")
    assert errors(folder / "zero.yaml") == {"zero.yaml": "is not a regular file"}


def test_a_link_to_a_file_is_known_by_its_own_name(project, write, tmp_path):
    (tmp_path / "elsewhere.yaml").write_text(TWO_CHUNKS)
    link = Path(project.directory) / ".specyard" / "mine.yaml"
    link.symlink_to(tmp_path / "elsewhere.yaml")
    spec = import_file(link, project).spec
    assert (spec.key, spec.source_path) == ("mine", ".specyard/mine.yaml")


def test_files_that_are_not_specs(folder):
    (folder / "photo.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert errors(folder / "photo.yaml") == {"photo.yaml": "is not text in UTF-8 (at byte 0)"}
    (folder / "nul.yaml").write_bytes(b"title: \x00")
    assert "NUL" in errors(folder / "nul.yaml")["nul.yaml"]
    (folder / "notes.txt").write_text("hello")
    assert "known format" in errors(folder / "notes.txt")["notes.txt"]
    (folder / "...yaml").write_text(TWO_CHUNKS)
    assert "known format" in errors(folder / "...yaml")["...yaml"]
    (folder / "庭.yaml").write_text(TWO_CHUNKS)
    assert "name" in errors(folder / "庭.yaml")["庭.yaml"]
    (folder / f"{'x' * 101}.yaml").write_text(TWO_CHUNKS)
    assert "name" in errors(folder / f"{'x' * 101}.yaml")[f"{'x' * 101}.yaml"]


def test_paths_that_lead_nowhere(tmp_path):
    assert "does not exist" in errors(tmp_path / "gone")["path"]
    assert "there is no spec in" in errors(tmp_path)["path"]
    assert "NUL" in errors("a\0b")["path"]
    assert "UTF-8" in errors("a\udcffb")["path"]
    assert "does not exist" in errors("/" + "x" * 5000)["path"]


def test_a_project_whose_directory_is_gone_imports_nothing(project, tmp_path):
    (tmp_path / "a.yaml").write_text(TWO_CHUNKS)
    Project.objects.filter(pk=project.pk).update(directory="/nowhere/at/all")
    project.refresh_from_db()
    assert errors(tmp_path / "a.yaml", project) == {"project.directory": "/nowhere/at/all does not exist"}


def test_a_project_that_was_removed_meanwhile(project, write):
    path = write()
    Project.objects.all().delete()
    assert errors(path, project) == {"project": "does not exist any more"}


def test_a_spec_of_the_greatest_size_is_stored(project, write):
    chunks = "".join(f"- {{title: A, instructions: {'x' * 1900}}}\n" for _ in range(limits.CHUNKS))
    import_file(write("title: T\nchunks:\n" + chunks), project)
    assert Chunk.objects.count() == limits.CHUNKS


def at_once(work: Callable[[int], int]) -> list[int]:
    """What eight threads return that begin at the same moment."""
    barrier = threading.Barrier(8)

    def one(number: int) -> int:
        try:
            barrier.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.django_db(transaction=True)
def test_a_new_folder_imported_at_once_becomes_one_project(folder):
    assert len(set(at_once(lambda _: import_path(folder)[0].spec.pk))) == 1
    assert (Project.objects.count(), Spec.objects.count(), Chunk.objects.count()) == (1, 1, 2)


@pytest.mark.django_db(transaction=True)
def test_imports_of_one_spec_take_turns(project, tmp_path):
    def import_own_version(number: int) -> int:
        chunks = [f"{{key: k{(number + i) % 8}, title: From {number}}}" for i in range(7)]
        path = tmp_path / str(number) / "same.yaml"
        path.parent.mkdir()
        path.write_text(f"title: T\nchunks: [{', '.join(chunks)}]")
        return import_file(path, project).spec.pk

    assert len(set(at_once(import_own_version))) == 1
    titles = {chunk.title for chunk in Chunk.objects.all()}
    assert len(titles) == 1
    assert [chunk.ordinal for chunk in Chunk.objects.all()] == [1, 2, 3, 4, 5, 6, 7]
