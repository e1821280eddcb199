"""What a worker has changed, file by file, and the buttons that merge or discard it."""

import os
import re
from html import unescape
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from dashboard.pages.changed import MOST_OPEN
from tests.support import make
from tests.support.gits import Gits, gits  # noqa: F401
from tests.support.repository import commit, git, repository
from workers import diffs
from workers.models import Attempt, Landing, Worker
from workers.states import AttemptStatus, ChunkOutcome, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def worker(source: Path, node: object) -> Worker:
    """One that has ended after two chunks, the second of which changed a file of the first."""
    base = git(source, "rev-parse", "HEAD")
    git(source, "checkout", "--quiet", "-b", "spec/job-1")
    commits = [commit(source, a="two\n", b="<b>bold</b>\n"), commit(source, a="three\n")]
    git(source, "checkout", "--quiet", "main")
    made = make.worker("true", "true", project=make.project(source, isolation="worktree"), slot=1)
    claimed = Worker.claim(made.pk, 1)
    assert claimed is not None
    claimed.prepared(str(source), "spec/job-1", base)
    for chunk, at in zip(claimed.chunks.order_by("ordinal"), commits, strict=True):
        attempt = Attempt.open(claimed, chunk)
        attempt.close(claimed, AttemptStatus.PASSED, ChunkOutcome.PASSED, commit=at)
    claimed.completed()
    return claimed


FILE = re.compile(r'<span class="diff-path mono" title="([^"]*)"')
BYS = re.compile(r'<span class="push mono diff-by">([^<]*)</span>')


def files(text: str) -> list[str]:
    return FILE.findall(text)


def lines(client: Client, worker: Worker, path: str, **query: str) -> HttpResponse:
    """The lines of one file of the first chunk; of a path that it has not changed as if it had."""
    old, new = worker.base_commit, worker.chunks.get(ordinal=1).commit
    files = diffs.changes(worker.project.directory, old, new).files
    key = next((file.key for file in files if file.path == path), path)
    return client.get(f"/workers/{worker.pk}/changes/patch", {"old": old, "new": new, "file": key, **query})


def page(client: Client, worker: Worker, **query: object) -> str:
    reply = client.get(f"/workers/{worker.pk}/changes", query)
    assert reply.status_code == 200
    return reply.content.decode()


def test_the_files_of_the_whole_worker_are_listed(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker)
    assert files(text) == ["a.txt", "b.txt"]
    assert '2 files <span class="diff-plus">+2</span> <span class="diff-minus">-1</span>' in text
    assert BYS.findall(text) == ["chunks 1, 2", "chunk 1"]
    assert 'aria-current="true">Whole worker</a>' in text


FOLD = re.compile(r'<details class="diff-file" id="changes-(\d+)">')
FILES_LINK = re.compile(r'<a class="link" href="([^"]+)">Show its files</a>')
FILES_GOT = re.compile(r'hx-get="([^"]+)" hx-trigger="intersect once" hx-target="#(files-[^"]+)"')


def test_each_chunk_has_its_own_files(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, by="chunk")
    assert FOLD.findall(text) == ["1", "2"]
    assert '2 files <span class="diff-plus">+2</span> <span class="diff-minus">-1</span>' in text  # of the whole
    assert "2 files · " in text
    assert "1 file · " in text
    assert 'aria-current="true">Per chunk</a>' in text
    assert files(text) == []
    opened = [viewer.get(unescape(address)).content.decode() for address, _ in FILES_GOT.findall(text)]
    assert [files(part) for part in opened] == [["a.txt", "b.txt"], ["a.txt"]]
    assert re.findall('<div id="(files-[^"]+)" hx-morph-skip>', "".join(opened)) == [
        target for _, target in FILES_GOT.findall(text)
    ]
    anchors = re.findall('<details class="diff-file" id="(file-[^"]+)"', "".join(opened))
    assert len(set(anchors)) == 3


def test_each_chunk_is_a_link_without_a_script(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, by="chunk", layout="split", q=".t")
    found = [viewer.get(unescape(address)).content.decode() for address in FILES_LINK.findall(text)]
    assert [files(part) for part in found] == [["a.txt", "b.txt"], ["a.txt"]]
    assert all("diff-split" in part and 'name="q" value=".t"' in part for part in found)


def test_chunks_are_found_by_a_part_of_a_path(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, by="chunk", q="B.T")
    assert FOLD.findall(text) == ["1"]
    assert "1 of 2 files · " in text
    ((address, _),) = FILES_GOT.findall(text)
    assert files(viewer.get(unescape(address)).content.decode()) == ["b.txt"]
    assert "No changed file has “&lt;i&gt;” in its path." in page(viewer, worker, by="chunk", q="<i>")


def test_the_files_of_a_chunk_that_has_not_passed_are_not_there(viewer: Client, worker: Worker) -> None:
    for chunk in ("", "3", "x"):
        assert viewer.get(f"/workers/{worker.pk}/changes/files", {"chunk": chunk}).status_code == 404


def append(worker: Worker, at: str) -> None:
    """The worker gets one more chunk, which has passed with that commit."""
    chunk = worker.chunks.latest("ordinal")
    chunk.pk, chunk.ordinal, chunk.commit = None, chunk.ordinal + 1, at
    chunk.key, chunk.finished_at = f"c{chunk.ordinal}", timezone.now()
    chunk.save()
    worker.head_commit = at
    worker.save(update_fields=["head_commit"])


def grown(worker: Worker, source: Path, count: int) -> None:
    """The worker gets so many more chunks, each of which has changed two files."""
    git(source, "checkout", "--quiet", "spec/job-1")
    for n in range(count):
        append(worker, commit(source, **{f"f{n}": "x\n", "a": f"{n}\n"}))
    git(source, "checkout", "--quiet", "main")


@pytest.mark.parametrize("query", [{"by": "chunk"}, {"by": "chunk", "q": "f1"}, {"by": "chunk", "layout": "split"}, {}])
def test_the_page_asks_git_as_often_for_many_chunks_as_for_few(
    viewer: Client,
    worker: Worker,
    source: Path,
    gits: Gits,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, str],
) -> None:
    started = []
    for more in (0, 90):
        grown(worker, source, more)
        monkeypatch.setattr(diffs, "_memory", diffs._Memory())
        gits.taken()
        text = page(viewer, worker, **query)
        started.append(gits.taken())
    assert 'title="f89.txt"' in text or len(FOLD.findall(text)) >= 11
    few, many = started
    limit = 2 if query else 2 + MOST_OPEN
    assert len(few) <= len(many) <= limit, many
    gits.taken()
    page(viewer, worker, **query)
    assert len(gits.taken()) <= limit - 2  # the rest is remembered


def test_the_files_of_one_chunk_are_listed(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, chunk=2)
    assert files(text) == ["a.txt"]
    assert '1 file <span class="diff-plus">+1</span> <span class="diff-minus">-1</span>' in text
    assert f'href="/workers/{worker.pk}/changes?by=chunk">All chunks</a>' in text
    assert "Chunk 3 has not passed." in page(viewer, worker, chunk=3)


def test_the_lines_of_the_first_files_are_there_without_a_script(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker)
    removed = (
        '<tr class="diff-removed"><td class="n">1</td><td class="n"></td><td class="s">-</td><td class="t">one</td>'
    )
    added = '<tr class="diff-added"><td class="n"></td><td class="n">1</td><td class="s">+</td><td class="t">three</td>'
    assert removed in text
    assert added in text
    assert '<td class="t">&lt;b&gt;bold&lt;/b&gt;</td>' in text


def test_before_and_after_stand_side_by_side(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, layout="split")
    one, three = (
        '<td class="n">1</td><td class="t diff-removed">one</td>',
        '<td class="n">1</td><td class="t diff-added">three</td>',
    )
    assert f"<tr>{one}{three}</tr>" in text


def test_files_are_found_by_a_part_of_their_path(viewer: Client, worker: Worker) -> None:
    assert files(page(viewer, worker, q="B.T")) == ["b.txt"]
    assert "No changed file has “&lt;i&gt;” in its path." in page(viewer, worker, q="<i>")


def test_a_file_that_is_asked_for_is_open(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, file="b.txt")
    assert re.findall('<details class="diff-file" id="[^"]+"( open)?', text) == ["", " open"]
    link = re.search('<a class="link" href="([^"]+)">Show its lines</a>', text)
    assert link is not None
    assert "one</td>" in viewer.get(unescape(link[1])).content.decode()


def test_htmx_gets_the_list_alone(viewer: Client, worker: Worker) -> None:
    reply = viewer.get(f"/workers/{worker.pk}/changes", headers={"HX-Request": "true"})
    assert reply.content.decode().strip().startswith('<div class="tab-body" id="changes"')
    assert "HX-Request" in reply["Vary"]


def test_the_lines_of_a_file_are_shown_as_text(viewer: Client, worker: Worker) -> None:
    text = lines(viewer, worker, "b.txt").content.decode()
    assert '<td class="n">1</td><td class="s">+</td><td class="t">&lt;b&gt;bold&lt;/b&gt;</td>' in text
    assert 'class="diff-table diff-split"' in lines(viewer, worker, "b.txt", layout="split").content.decode()
    assert lines(viewer, worker, "nowhere.txt").status_code == 404
    assert lines(viewer, worker, "").status_code == 404


ODD = {
    b"caf\xe9.txt": r"caf\351.txt",
    b"tab\there": r"tab\there",
    b"new\nline": r"new\nline",
    "admin\u202etxt.exe".encode(): r"admin\342\200\256txt.exe",
    b'quo"te<b>': 'quo"te<b>',
    b"-dash": "-dash",
    b":(top)x": ":(top)x",
    b"a&b=c?d#e%41+f": "a&b=c?d#e%41+f",
    b"dir\xff/b\xfe": r"dir\377/b\376",
}


@pytest.fixture
def odd(worker: Worker, source: Path) -> Worker:
    """A worker whose third chunk has added files of odd names, and renamed one of them in its fourth."""
    git(source, "checkout", "--quiet", "spec/job-1")
    for name in ODD:
        path = source / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("line\n" * 500 if name == b"tab\there" else f"of {ODD[name]}\n")
    git(source, "add", "--all")
    append(worker, commit(source))
    (source / os.fsdecode(b"caf\xe9.txt")).rename(source / os.fsdecode(b"caf\xe8.txt"))
    git(source, "add", "--all")
    append(worker, commit(source))
    git(source, "checkout", "--quiet", "main")
    return worker


def shown(text: str) -> set[str]:
    return {unescape(name) for name in files(text)}


@pytest.mark.parametrize("query", [{}, {"layout": "split"}])
def test_a_name_may_be_anything(viewer: Client, odd: Worker, query: dict[str, str]) -> None:
    assert shown(page(viewer, odd, chunk="3", **query)) == set(ODD.values())
    assert r"caf\350.txt" in shown(page(viewer, odd, **query))
    assert r'title="was caf\351.txt"' in page(viewer, odd, chunk="4", **query)
    assert len(FOLD.findall(page(viewer, odd, by="chunk", **query))) == 4
    assert viewer.get(f"/workers/{odd.pk}/changes/count").status_code == 200
    assert viewer.get(f"/workers/{odd.pk}").status_code == 200
    assert shown(page(viewer, odd, chunk="3", q=r"CAF\351", **query)) == {r"caf\351.txt"}


ROW = re.compile(r'<details class="diff-file" id="(file-[^"]+)"( open)?>\s*<summary>.*?title="([^"]*)"', re.DOTALL)


@pytest.mark.parametrize("name", ODD.values())
def test_a_file_of_any_name_can_be_opened_by_a_link(viewer: Client, odd: Worker, name: str) -> None:
    other = next(one for one in ODD.values() if one != name)
    rows = re.split(r'(?=<details class="diff-file")', page(viewer, odd, chunk="3", file=other, layout="split"))
    row = next(row for row in rows if f'title="{escape(name)}"' in row)
    link = re.search('<a class="link" href="([^"]+)">Show its lines</a>', row)
    got = re.search('hx-get="([^"]+)" hx-trigger="intersect once"', row)
    assert link is not None
    assert got is not None
    address, _, anchor = unescape(link[1]).partition("#")
    opened = [(found[0], unescape(found[2])) for found in ROW.findall(viewer.get(address).content.decode()) if found[1]]
    assert opened == [(anchor, name)]
    part = viewer.get(unescape(got[1])).content.decode()
    first = "line" if name == r"tab\there" else f"of {name}"
    assert f'diff-added">{escape(first)}</td>' in part
    assert f'aria-label="Lines of {escape(name)}"' in part
    assert "diff-split" in part


@pytest.mark.parametrize("name", ODD)
def test_the_patch_of_a_file_of_any_name_can_be_applied(
    viewer: Client, odd: Worker, source: Path, name: bytes, tmp_path: Path
) -> None:
    ends = {"old": odd.chunks.get(ordinal=2).commit, "new": odd.chunks.get(ordinal=3).commit}
    key = next(file.key for file in diffs.changes(source, ends["old"], ends["new"]).files if file.path == ODD[name])
    reply = viewer.get(f"/workers/{odd.pk}/changes/patch", {**ends, "file": key, "raw": "1"})
    (tmp_path / "one.patch").write_bytes(b"".join(reply.streaming_content))
    git(source, "apply", str(tmp_path / "one.patch"))
    assert (source / os.fsdecode(name)).exists()
    assert len(git(source, "status", "--porcelain", "--untracked-files=all").splitlines()) == 1


def test_a_discard_lists_files_of_any_name(operator: Client, odd: Worker, source: Path) -> None:
    (source / os.fsdecode(b"lost\xe9\n")).write_text("not committed\n")
    (source / "message").write_bytes(b"caf\xe9 \xe2\x80\xae\n")
    git(source, "checkout", "--quiet", "spec/job-1")
    git(source, "-c", "i18n.commitEncoding=none", "commit", "--quiet", "--allow-empty", "-F", "message")
    text = operator.get(f"/workers/{odd.pk}/discard").content.decode()
    assert r"lost\351\n" in text
    assert "caf� ⟨U+202E⟩" in text


def test_a_conflict_of_any_name_leads_to_the_file(operator: Client, odd: Worker) -> None:
    Landing.ask(odd, "merge", "mira").failed("The branch conflicts.", [(r"caf\350.txt", "both added it")])
    text = operator.get(f"/workers/{odd.pk}").content.decode()
    link = re.search(r'<a class="link mono" href="([^"]+)">caf\\350.txt</a>', text)
    assert link is not None
    rows = ROW.findall(operator.get(unescape(link[1])).content.decode())
    assert [name for _, is_open, name in rows if is_open] == [r"caf\350.txt"]


def test_a_page_says_what_cannot_be_listed(viewer: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffs, "_memory", diffs._Memory())
    monkeypatch.setattr(diffs, "MOST_FILES", 1)
    assert "None of the first 1 file has “b.txt” in its path." in page(viewer, worker, q="b.txt")
    chunks = page(viewer, worker, by="chunk", q="b.txt")
    assert FOLD.findall(chunks) == ["1"]
    assert "0 of the first 1 of 2 files · " in chunks
    ((address, _),) = FILES_GOT.findall(chunks)
    assert "None of the first 1 file has “b.txt” in its path." in viewer.get(unescape(address)).content.decode()
    for query in ({}, {"q": "b.txt"}, {"chunk": "1"}):
        text = page(viewer, worker, **query)
        assert '2 files <span class="diff-plus">+2</span> <span class="diff-minus">-1</span>' in text
        assert "1 more file, the last by path, cannot be listed: the patch has them all." in text
    assert "cannot be listed" not in page(viewer, worker, chunk=2)


@pytest.mark.parametrize(("path", "names"), [("a.txt", {"a.txt"}), ("", {"a.txt", "b.txt"})])
def test_a_patch_can_be_kept(viewer: Client, worker: Worker, path: str, names: set[str]) -> None:
    reply = lines(viewer, worker, path, raw="1")
    assert "attachment" in reply["Content-Disposition"]
    patch = b"".join(reply.streaming_content).decode()
    assert set(re.findall(r"^diff --git a/(\S+) b/", patch, re.MULTILINE)) == names


def test_the_tab_says_how_much_was_changed(viewer: Client, worker: Worker) -> None:
    url = f"/workers/{worker.pk}"
    assert f'id="worker-{worker.pk}-count" data-changes-count data-tip="">' in viewer.get(url).content.decode()
    tip = worker.chunks.get(ordinal=2).commit
    count = viewer.get(f"{url}/changes/count").content.decode().strip()
    assert f'data-tip="{tip}"' in count
    assert '<span class="diff-plus">+2</span> <span class="diff-minus">-1</span>' in count
    assert count in viewer.get(url).content.decode()  # from then on


def test_a_page_other_than_the_changes_never_asks_git(
    viewer: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.git._started", lambda *arguments: pytest.fail("git was asked"))
    assert viewer.get(f"/workers/{worker.pk}").status_code == 200


@pytest.mark.parametrize(("old", "new"), [("HEAD", "main"), ("--output=/tmp/x", "main"), ("", "")])
def test_only_commits_of_the_worker_are_compared(viewer: Client, worker: Worker, old: str, new: str) -> None:
    reply = viewer.get(f"/workers/{worker.pk}/changes/patch", {"old": old, "new": new, "file": "a.txt"})
    assert reply.status_code == 404


def test_a_repository_that_is_gone_is_told(viewer: Client, worker: Worker, source: Path) -> None:
    source.rename(source.with_name("elsewhere"))
    assert "git cannot run in" in page(viewer, worker)
    assert viewer.get(f"/workers/{worker.pk}/changes/count").status_code == 204
    assert "git cannot run in" in viewer.get(f"/workers/{worker.pk}/changes/files?chunk=1").content.decode()
    ends = {"old": worker.base_commit, "new": worker.chunks.get(ordinal=1).commit}
    assert "git cannot run in" in viewer.get(f"/workers/{worker.pk}/changes/patch", ends).content.decode()


def test_a_worker_without_a_branch_says_so(viewer: Client, running: Worker) -> None:
    assert "has no branch of its own" in page(viewer, running)
    assert viewer.get(f"/workers/{running.pk}/changes/patch").status_code == 404
    assert viewer.get(f"/workers/{running.pk}/changes/count").status_code == 200


def test_a_worker_whose_chunks_have_not_passed_says_so(viewer: Client, worker: Worker) -> None:
    worker.chunks.update(commit="", outcome="failed")
    Worker.objects.filter(pk=worker.pk).update(head_commit="")
    assert "No chunk has passed" in page(viewer, worker)
    Worker.objects.filter(pk=worker.pk).update(status=WorkerStatus.RUNNING, slot=9, completed_at=None)
    assert "Nothing has been committed yet" in page(viewer, worker)


def test_an_operator_asks_for_a_merge_and_the_page_says_so(operator: Client, worker: Worker) -> None:
    reply = operator.post(f"/workers/{worker.pk}/merge", headers={"HX-Request": "true"})
    assert reply.status_code == 200
    text = reply.content.decode()
    assert "Merging" in text
    assert f'id="merge-{worker.pk}"' not in text
    assert Landing.objects.get().kind == "merge"


def test_what_a_discard_would_lose_is_listed_before(operator: Client, worker: Worker, source: Path) -> None:
    (source / "c.txt").write_text("not committed\n")
    repository(Path(worker.workspace) / "app")
    text = operator.get(f"/workers/{worker.pk}/discard").content.decode()
    assert "app: 1 commit on no remote" in text
    assert text.count("on no other branch") == 2
    assert text.count("never committed") == 2  # the repository is a directory that is not committed, too
    assert not Landing.objects.exists()
    reply = operator.post(f"/workers/{worker.pk}/discard")
    assert reply["Location"] == f"/workers/{worker.pk}"
    assert Landing.objects.get().kind == "discard"
    assert "Discarding" in operator.get(f"/workers/{worker.pk}").content.decode()


def test_a_viewer_may_not_ask(viewer: Client, worker: Worker) -> None:
    assert viewer.post(f"/workers/{worker.pk}/merge").status_code == 403
    assert not Landing.objects.exists()


def test_what_did_not_work_is_told_and_can_be_tried_again(operator: Client, worker: Worker) -> None:
    conflicts = [("a.txt", "both added it"), ("odd\n\t<name>", "")]
    Landing.ask(worker, "merge", "mira").failed("The branch conflicts with its base in 2 files.", conflicts)
    text = operator.get(f"/workers/{worker.pk}").content.decode()
    assert "Could not merge." in text
    assert "conflicts with its base in 2 files." in text
    assert f'href="/workers/{worker.pk}/changes?file=a.txt">a.txt</a> <span class="soft">both added it</span>' in text
    assert ">odd⏎⇥&lt;name&gt;</a>" in text
    assert f'id="merge-{worker.pk}"' in text


def test_an_active_worker_cannot_be_merged(operator: Client, worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(status=WorkerStatus.RUNNING, slot=9, completed_at=None)
    assert operator.post(f"/workers/{worker.pk}/merge", headers={"HX-Request": "true"}).status_code == 409
    assert f'id="merge-{worker.pk}"' not in operator.get(f"/workers/{worker.pk}").content.decode()
