"""What a chunk has declared is copied out of its workspace, whatever stands there."""

import html
import os
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.runner.support import Message, Owner, wait_until
from workers.runner import junit
from workers.runner.masking import Mask

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites time="1.5"><testsuite name="s" tests="4">
<testcase classname="a.b" name="passes" time="0.5"/>
<testcase classname="a.b" name="fails"><failure message="1 != 2">Traceback &lt;b&gt;</failure></testcase>
<testcase classname="a.b" name="breaks"><error>Boom</error><system-out>x</system-out></testcase>
<testcase classname="a.b" name="waits"><skipped/></testcase>
</testsuite></testsuites>"""


class Collecting:
    """Has a runner collect from a workspace."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.attempt = 0
        self.workspace = owner.run.workspace
        self.target = owner.run.launcher.directory / "artifacts" / "1"

    def begin(self, *patterns: str, **more: Any) -> str:
        self.attempt += 1
        fields = {"patterns": list(patterns), "target": str(self.target), **more}
        return self.owner.work("collect", self.attempt, **fields)

    def __call__(self, *patterns: str, **more: Any) -> Message:
        """The facts."""
        result = self.owner.result(self.begin(*patterns, **more))
        assert result["outcome"] == "passed", result
        facts: Message = result["facts"]
        return facts

    def kept(self, *patterns: str, **more: Any) -> list[str]:
        """The paths, which are those of the files."""
        facts = self(*patterns, **more)
        paths = [one["path"] for one in facts["artifacts"]]
        files = [path for path in self.target.rglob("*") if not path.is_dir()]
        assert sorted(paths) == sorted(str(path.relative_to(self.target)) for path in files)
        return paths

    def write(self, path: str, text: str | bytes = "x") -> Path:
        found = self.workspace / path
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_bytes(text if isinstance(text, bytes) else text.encode())
        return found


@pytest.fixture
def collecting(owner: Owner) -> Collecting:
    return Collecting(owner)


def reasons(facts: Message) -> dict[str, str]:
    return {one["path"]: one["why"] for one in facts["left_out"]}


def test_files_are_copied_as_they_are(collecting: Collecting) -> None:
    data = os.urandom(3_000_000)
    collecting.write("out/result.bin", data)
    facts = collecting("out/result.bin")
    expected = {"path": "out/result.bin", "size": len(data), "sha256": sha256(data).hexdigest(), "kind": "file"}
    assert facts["artifacts"] == [expected]
    copy = collecting.target / "out" / "result.bin"
    assert copy.read_bytes() == data
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "── 1 artifact kept ──" in collecting.owner.run.log(1).read_text()


def test_patterns_choose_files(collecting: Collecting) -> None:
    for path in ("a.txt", "b.log", "deep/a.txt", "deep/er/a.txt", ".hidden/a.txt", "deep/.a.txt", "deep/er/b.log"):
        collecting.write(path)
    assert collecting.kept("*.txt") == ["a.txt"]
    assert collecting.kept("**/*.txt", "a.txt") == ["a.txt", "deep/a.txt", "deep/er/a.txt"]
    assert collecting.kept("deep") == ["deep/a.txt", "deep/er/a.txt", "deep/er/b.log"]
    assert collecting.kept("deep/**") == ["deep/a.txt", "deep/er/a.txt", "deep/er/b.log"]
    assert collecting.kept("deep/**/**/b.*") == ["deep/er/b.log"]
    assert collecting.kept(".hidden/*", "deep/.a*") == [".hidden/a.txt", "deep/.a.txt"]
    assert collecting.kept("[ab].*", "./a.txt") == ["a.txt", "b.log"]
    assert collecting.kept("d?ep/er/[!a]*") == ["deep/er/b.log"]


def test_what_is_missing_is_said(collecting: Collecting) -> None:
    collecting.write("there.txt")
    facts = collecting("gone.txt", "*.zip", "there.txt")
    assert [one["path"] for one in facts["artifacts"]] == ["there.txt"]
    assert reasons(facts) == {"gone.txt": "nothing matches", "*.zip": "nothing matches"}
    assert "gone.txt: nothing matches" in collecting.owner.run.log(1).read_text()


def test_collecting_again_begins_anew(collecting: Collecting) -> None:
    old = collecting.write("old.txt")
    assert collecting.kept("*.txt") == ["old.txt"]
    old.unlink()
    collecting.write("new.txt")
    assert collecting.kept("*.txt") == ["new.txt"]


def test_nothing_leads_out_of_the_workspace(collecting: Collecting, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    space = collecting.workspace
    (space / "link.txt").symlink_to(outside / "secret.txt")
    (space / "directory").symlink_to(outside)
    (space / "up").symlink_to("..")
    (space / "chain").symlink_to("link.txt")
    (space / "loop").symlink_to("loop")
    (space / "broken").symlink_to("nowhere")
    facts = collecting("*", "../*", "**/secret.txt", "directory/secret.txt", "up/*/secret.txt", "directory/*")
    assert facts["artifacts"] == []
    for link in ("link.txt", "directory", "up"):
        assert reasons(facts)[link] == "it is a link that leads out of the workspace"
    assert reasons(facts)["directory/secret.txt"] == "it is a link that leads out of the workspace"
    assert not any("secret" in path.read_text() for path in collecting.target.rglob("*") if path.is_file())
    assert "secret.txt" not in [one["path"] for one in facts["artifacts"]]


def test_links_within_the_workspace_are_followed(collecting: Collecting) -> None:
    collecting.write("runs/7/report.txt", "seven")
    (collecting.workspace / "latest").symlink_to("runs/7")
    (collecting.workspace / "report.txt").symlink_to("latest/report.txt")
    assert collecting.kept("latest/report.txt", "report.txt") == ["latest/report.txt", "report.txt"]
    assert (collecting.target / "report.txt").read_text() == "seven"
    assert not (collecting.target / "report.txt").is_symlink()


def test_only_ordinary_files_are_read(collecting: Collecting) -> None:
    os.mkfifo(collecting.workspace / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        directory = os.open(collecting.workspace, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{directory}/socket")
        finally:
            os.close(directory)
        facts = collecting("fifo", "socket")
    assert facts["artifacts"] == []
    assert set(reasons(facts).values()) == {"it is no ordinary file"}


def test_sizes_and_numbers_are_bounded(collecting: Collecting) -> None:
    with collecting.write("huge").open("r+b") as file:
        file.truncate(10 * 10**9)  # a sparse file of 10 GB
    for number in range(5):
        collecting.write(f"{number}.bin", b"x" * 400)
    facts = collecting("huge", "*.bin", each=500, total=1000, most=200)
    assert [one["path"] for one in facts["artifacts"]] == ["0.bin", "1.bin"]
    assert reasons(facts)["huge"] == "it is larger than 500 bytes"
    assert reasons(facts)["2.bin"] == "all of them together are larger than 1000 bytes"
    facts = collecting("*.bin", most=3)
    assert len(facts["artifacts"]) == 3
    assert reasons(facts)["3.bin"] == "there are more than 3"
    for number in range(100):
        collecting.write(f"many/{number}")
    facts = collecting("many", most=1)
    assert (len(facts["left_out"]), facts["more"]) == (50, 49)


def test_hostile_names_are_told_as_text(collecting: Collecting) -> None:
    names = [b"\xff\xfe.txt", b"new\nline.txt", b"esc\x1b[31m.txt", "bidi\u202etxt.exe".encode(), b"'quote\"<b>.txt"]
    for name in names:
        Path(os.fsdecode(os.fsencode(collecting.workspace) + b"/" + name)).write_bytes(b"x")
    paths = collecting.kept("*")
    assert sorted(paths) == sorted(
        ["\\udcff\\udcfe.txt", "new\\nline.txt", "esc\\x1b[31m.txt", "bidi\\u202etxt.exe", "'quote\"<b>.txt"]
    )


def test_a_name_that_cannot_be_kept_is_left_out(collecting: Collecting) -> None:
    name = b"\xff" * 200  # as text four times as long
    Path(os.fsdecode(os.fsencode(collecting.workspace) + b"/" + name)).write_bytes(b"x")
    facts = collecting("*")
    assert facts["artifacts"] == []
    assert facts["left_out"][0]["why"] == "its name cannot be kept"


def test_deep_directories_end_somewhere(collecting: Collecting) -> None:
    place = os.open(collecting.workspace, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=place))
    os.close(place)
    assert collecting("**/file")["artifacts"] == []


def test_patterns_that_fit_in_very_many_ways_cost_little(collecting: Collecting) -> None:
    collecting.write("d/" * 90 + "file")
    assert len(collecting.kept("**/*/**/*/**/*/**/f?le", "**/d/**/d/**/nothing")) == 1


def test_collecting_can_be_stopped_and_paused(collecting: Collecting) -> None:
    for number in range(20):
        collecting.write(f"{number}", b"x" * 1_000_000)
    owner = collecting.owner
    owner.say("pause")
    owner.until("paused")
    request = collecting.begin("*")
    wait_until(collecting.target.exists)
    assert not list(collecting.target.glob("*"))
    owner.say("interrupt")
    assert owner.result(request)["outcome"] == "interrupted"
    assert not collecting.target.exists()
    again = collecting.begin("*")
    owner.say("resume")
    assert len(owner.result(again)["facts"]["artifacts"]) == 20


def test_where_nothing_can_be_written_the_request_fails_with_a_sentence(collecting: Collecting) -> None:
    collecting.write("a.txt")
    collecting.target.parent.mkdir(parents=True)
    collecting.target.parent.chmod(0o500)
    if os.access(collecting.target.parent, os.W_OK):  # root may write everywhere
        collecting.target.parent.rmdir()
        collecting.target.parent.write_text("a file")
    result = collecting.owner.result(collecting.begin("a.txt"))
    assert (result["outcome"], result["reason"]) == ("failed", "artifacts_failed")
    assert "could not be kept" in result["message"]


def test_half_of_what_could_not_be_written_is_removed(collecting: Collecting) -> None:
    """A disk that is full must not be filled with files that nobody knows of."""
    collecting.write("a.txt")
    collecting.write("b/c/d.txt")
    collecting.owner.say("pause")
    collecting.owner.until("paused")
    request = collecting.begin("**")
    wait_until(collecting.target.exists)
    (collecting.target / "b").symlink_to("b")
    collecting.owner.say("resume")
    result = collecting.owner.result(request)
    assert (result["outcome"], result["reason"]) == ("failed", "artifacts_failed")
    assert not collecting.target.exists()


def test_secrets_are_hidden_in_names_and_tests_and_not_in_files(collecting: Collecting) -> None:
    collecting.write("s3cret-value.txt", "s3cret-value")
    collecting.write("r.xml", JUNIT.replace("1 != 2", "s3cret-value"))
    facts = collecting("*", secrets={"KEY": "s3cret-value"})
    assert [one["path"] for one in facts["artifacts"]] == ["r.xml", "•••.txt"]
    assert facts["reports"][0]["cases"][0]["message"] == "•••"
    assert (collecting.target / "•••.txt").read_text() == "s3cret-value"


# Reports of tests


def test_a_report_of_tests_is_counted(collecting: Collecting) -> None:
    collecting.write("report.xml", JUNIT)
    collecting.write("other.xml", "<html/>")
    facts = collecting("*.xml")
    assert {one["path"]: one["kind"] for one in facts["artifacts"]} == {"other.xml": "file", "report.xml": "junit"}
    [report] = facts["reports"]
    counts = [report[name] for name in ("tests", "failures", "errors", "skipped", "seconds")]
    assert counts == [4, 1, 1, 1, 1.5]
    assert report["cases"] == [
        {"name": "fails", "suite": "a.b", "outcome": "failed", "message": "1 != 2"},
        {"name": "breaks", "suite": "a.b", "outcome": "error", "message": "Boom"},
    ]


def test_a_report_that_is_too_long_to_be_read_says_so(collecting: Collecting) -> None:
    name = "n" * 10_000
    for root in ("testsuite", "html"):
        cases = f'<testcase name="{name}"/>' * (junit.LARGEST // len(name))
        collecting.write(f"{root}.xml", f"<{root}>{cases}</{root}>")
    facts = collecting("*.xml")
    assert {one["path"]: one["kind"] for one in facts["artifacts"]} == {"html.xml": "file", "testsuite.xml": "file"}
    assert reasons(facts) == {"testsuite.xml": "kept, but its tests cannot be read: it is larger than 20 MB"}


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE], ids=["entities", "outside"])
def test_documents_that_define_things_are_kept_and_not_read(collecting: Collecting, text: str) -> None:
    collecting.write("report.xml", text)
    facts = collecting("report.xml")
    assert (facts["artifacts"][0]["kind"], facts["reports"]) == ("file", [])
    assert "document type" in reasons(facts)["report.xml"]


def read(text: str | bytes, secret: str = "", **more: int) -> junit.Report:
    return junit.read([text if isinstance(text, bytes) else text.encode()], Mask([secret]), **more)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("", False),
        ("no xml", False),
        ("<a/>", False),
        ("<testsuite><testcase></testsuite>", True),
        ("<testsuite>" + "<x>" * 100, True),
        (b'<?xml version="1.0" encoding="no-such-code"?><testsuite/>', False),
        (b"<testsuite>\xff\xfe</testsuite>", True),
        ("<testsuite>\0</testsuite>", True),
    ],
)
def test_what_is_no_report_says_so(text: str | bytes, is_one: bool) -> None:
    with pytest.raises(junit.NoReport) as refused:
        read(text)
    assert refused.value.looked_like_one is is_one


def test_times_that_cannot_be_are_none() -> None:
    cases = "".join(f"<testcase time='{time}'/>" for time in ("nan", "-1", "1e400", "soon", "", "1,000.5"))
    assert read(f"<testsuite>{cases}</testsuite>").seconds == 1000.5
    assert read('<testsuite time="inf"><testcase time="2"/></testsuite>').seconds == 2.0


def test_many_failures_and_long_messages_are_cut() -> None:
    case = f'<testcase name="{"n" * 1000}"><failure>{"m" * 100_000}</failure></testcase>'
    report = read(f"<testsuite>{case * 150}</testsuite>")
    assert (report.tests, report.failures, len(report.cases)) == (150, 150, 100)
    assert all(len(one["message"]) == 1000 and len(one["name"]) == 300 for one in report.cases)
    assert len(read(f"<testsuite>{case * 3}</testsuite>", room=1).cases) == 1


def test_half_a_secret_at_the_end_of_what_is_kept_is_not_shown() -> None:
    secret = "s3cret-<value>-that-is-long"
    shown = html.escape(secret)
    for before in range(970, 1001, 3):
        name, text = "n" * (before - 700) + shown + "n" * 500, "\n" + "m" * before + shown + "m" * 500
        found = f'<testcase name="{name}" classname="{name}"><failure message="{text}"/></testcase>'
        found += f"<testcase><error>{text}</error></testcase>"
        cases = read(f"<testsuite>{found}</testsuite>", secret).cases
        assert len(cases) == 2
        assert "s3c" not in str(cases)
        assert {len(cases[0]["name"]), len(cases[0]["suite"])} == {300}
        assert len(cases[1]["message"]) == 1000


def test_namespaces_nested_suites_and_other_encodings_are_read() -> None:
    suite = "<testsuite><testsuite><testcase name='é'><failure/></testcase></testsuite></testsuite>"
    nested = f"<testsuites>{suite}</testsuites>"
    assert read(nested).cases[0]["name"] == "é"
    assert read(nested.encode("utf-16")).failures == 1
    assert read('<t:testsuite xmlns:t="x"><t:testcase/></t:testsuite>').tests == 1
    rerun = "<testsuite><testcase><failure>one</failure><failure>two</failure><error>x</error></testcase></testsuite>"
    assert (read(rerun).failures, read(rerun).errors, read(rerun).cases[0]["message"]) == (1, 0, "one")


def test_a_file_that_is_too_much_leaves_no_half_of_it(collecting: Collecting) -> None:
    collecting.write("long", b"x" * 3_000_000)
    assert collecting.kept("long", total=2_000_000) == []
