"""Specs: reading, running, writing, deleting."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from queue_app.models import Yard
from specs import limits
from specs.models import Spec
from tests.support import make
from workers.models import Worker

YAML = "title: Made in the browser\nchunks:\n  - title: One\n    params: {run: 'true'}\n"


@pytest.fixture
def project(db):
    return make.project()


def test_the_spec_page_shows_chunks_with_their_commands(viewer):
    spec = make.spec("make test", review="make lint", description="Why <b>so</b>")
    page = viewer.get(f"/specs/{spec.pk}").content.decode()
    assert "make test" in page
    assert "make lint" in page
    assert "Why &lt;b&gt;so&lt;/b&gt;" in page
    assert "Run All" in page
    assert "Run in Background" in page


def test_run_all_leads_to_the_live_page_of_the_run(act, node):
    spec = make.spec()
    reply = act("post", f"/specs/{spec.pk}/run")
    assert reply["HX-Redirect"] == f"/workers/{Worker.objects.get(spec=spec).pk}"


def test_run_all_leads_to_the_workers_when_the_spec_has_to_wait(act, full_yard):
    spec = make.spec()
    assert act("post", f"/specs/{spec.pk}/run")["HX-Redirect"] == "/workers"
    assert spec.entries.count() == 1


def test_run_in_background_leads_back_to_the_workers(act, operator, node):
    spec = make.spec(title="Six times")
    assert act("post", f"/specs/{spec.pk}/background-run")["HX-Redirect"] == "/workers"
    assert Worker.objects.filter(spec=spec).exists()
    assert "Six times runs" in operator.get("/workers").content.decode()


@pytest.mark.parametrize("slot, state", [(False, "In the queue"), (True, "runs it")])
def test_run_in_background_in_the_list_stays_there_and_shows_what_became_of_it(act, full_yard, slot, state):
    Yard.objects.update(limit=1 + slot)
    spec = make.spec()
    reply = act("post", f"/specs/{spec.pk}/background-run", {"stay": "1"})
    assert "HX-Redirect" not in reply
    row = re.search(rf'<li[^>]* id="spec-{spec.pk}".*?</li>', reply.content.decode(), re.DOTALL)[0]
    assert state in row
    assert " disabled" in row


@pytest.mark.parametrize("address", ["run", "background-run"])
def test_a_spec_that_runs_is_not_run_again(act, full_yard, address):
    reply = act("post", f"/specs/{full_yard.spec_id}/{address}")
    assert reply.status_code == 409
    assert "runs this spec already" in reply.content.decode()
    assert Worker.objects.count() == 1


def test_the_page_says_where_the_spec_would_land(operator, full_yard):
    spec = make.spec()
    assert "Slots full (1/1): would be number 1 in the queue." in operator.get(f"/specs/{spec.pk}").content.decode()
    full_yard.request_stop("mira")
    assert "A slot is free: it starts at once." in operator.get(f"/specs/{spec.pk}").content.decode()


def test_a_spec_without_chunks_cannot_be_run(viewer):
    spec = make.spec()
    spec.chunks.all().delete()
    page = viewer.get(f"/specs/{spec.pk}").content.decode()
    assert "has no chunks" in page
    assert f'hx-post="/specs/{spec.pk}/run" disabled' in page


def test_a_spec_is_deleted(act):
    spec = make.spec()
    assert act("delete", f"/specs/{spec.pk}")["HX-Redirect"] == "/specs"
    assert not Spec.objects.exists()


def test_a_spec_in_use_is_kept_and_the_reason_said(act, full_yard):
    reply = act("delete", f"/specs/{full_yard.spec_id}")
    assert reply.status_code == 409
    assert f"{full_yard.pk}" in reply.content.decode()
    assert Spec.objects.filter(pk=full_yard.spec_id).exists()


def test_a_spec_is_written_in_the_browser(operator, project):
    response = operator.post("/specs/new", {"project": project.name, "key": "", "text": YAML})
    spec = Spec.objects.get()
    assert response["Location"] == f"/specs/{spec.pk}"
    assert (spec.key, spec.title, spec.chunks.count()) == ("made-in-the-browser", "Made in the browser", 1)


def test_a_spec_is_read_from_a_file(operator, project):
    file = SimpleUploadedFile("limits.yaml", YAML.encode())
    operator.post("/specs/new", {"project": project.name, "text": "ignored", "file": file})
    assert Spec.objects.get().key == "limits"


def test_a_new_spec_never_overwrites_another(operator, project):
    form = {"project": project.name, "key": "same", "text": YAML}
    operator.post("/specs/new", form)
    again = operator.post("/specs/new", {**form, "text": YAML.replace("Made", "Lost")})
    assert again.status_code == 422
    assert "is another spec of this project" in again.content.decode()
    assert Spec.objects.get().title == "Made in the browser"


def test_of_a_text_that_cannot_be_read_that_is_said_and_not_that_a_name_is_missing(operator, project):
    page = operator.post("/specs/new", {"project": project.name, "text": "title: [\n"}).content.decode()
    assert "YAML" in page.split("Nothing was saved.")[1].split("</div>")[0]
    assert 'id="key-error"' not in page


def test_an_error_of_a_field_stands_beside_it(operator, project):
    form = {"project": project.name, "key": "two words", "text": YAML}
    page = operator.post("/specs/new", form).content.decode()
    assert 'id="key-error"' in page
    assert 'aria-describedby="key-error"' in page
    assert "1 field to correct" in page
    assert 'id="text" name="text" rows="28" spellcheck="false">' in page


@pytest.mark.parametrize(
    "form, says",
    [
        ({"project": "none"}, "project"),
        ({"key": "../../etc"}, "key"),
        ({"key": "a\x00b"}, "key"),
        ({"key": "x" * 500}, "key"),
        ({"text": "title: [unclosed"}, "line"),
        ({"text": "title: x"}, "chunks"),
        ({"text": "title: x\nchunks: []"}, "chunks"),
        ({"text": YAML + "    executor: agnt\n"}, "executor"),
        ({"text": YAML + "    depends_on: [c1]\n"}, "depends_on"),
        ({"text": YAML + "colour: red\n"}, "colour"),
        ({"text": YAML + "priority: soon\n"}, "priority"),
        ({"text": "\x00"}, "Nothing was saved"),
        ({"text": ""}, "Nothing was saved"),
    ],
)
def test_bad_input_is_shown_with_its_field_and_nothing_is_stored(operator, project, form, says):
    response = operator.post("/specs/new", {"project": project.name, "key": "k", "text": YAML, **form})
    page = response.content.decode()
    assert response.status_code == 422
    assert "Nothing was saved" in page
    assert says in page
    assert not Spec.objects.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe binary", b"x" * (limits.FILE_SIZE + 1)])
def test_a_file_that_is_no_spec_is_refused(operator, project, content):
    file = SimpleUploadedFile("spec.yaml", content)
    response = operator.post("/specs/new", {"project": project.name, "text": "", "file": file})
    assert response.status_code == 422
    assert "<code>file</code>" in response.content.decode()


def test_what_was_typed_is_still_there_after_an_error(operator, project):
    text = "title: precious </textarea><script>work\nchunks: []\n"
    page = operator.post("/specs/new", {"project": project.name, "key": "", "text": text}).content.decode()
    assert "precious &lt;/textarea&gt;&lt;script&gt;work" in page


def test_a_spec_is_edited_as_yaml_while_it_runs(operator, full_yard):
    spec = full_yard.spec
    text = operator.get(f"/specs/{spec.pk}/edit").context["form"]["text"]
    response = operator.post(f"/specs/{spec.pk}/edit", {"text": text.replace(spec.title, "Changed")})
    assert response["Location"] == f"/specs/{spec.pk}"
    spec.refresh_from_db()
    full_yard.refresh_from_db()
    assert spec.title == "Changed"
    assert full_yard.title != "Changed"


def test_a_bad_edit_changes_nothing(operator):
    spec = make.spec(title="Before")
    response = operator.post(f"/specs/{spec.pk}/edit", {"text": "chunks: 3"})
    assert response.status_code == 422
    spec.refresh_from_db()
    assert (spec.title, spec.chunks.count()) == ("Before", 1)


def test_the_list_is_searched_and_filtered_by_project(viewer):
    here, there = make.spec(title="here"), make.spec(title="there is more")
    page = viewer.get("/specs", {"q": "more"}).content.decode()
    assert "there is more" in page
    assert f'href="/specs/{here.pk}"' not in page
    page = viewer.get("/specs", {"project": here.project.name}).content.decode()
    assert f'href="/specs/{here.pk}"' in page
    assert f'href="/specs/{there.pk}"' not in page


@pytest.mark.parametrize(
    "query", ["\x00", "%", "_", "'; drop table", "x" * 5000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_any_search_is_answered(viewer, query):
    make.spec()
    assert viewer.get("/specs", {"q": query}).status_code == 200
    assert viewer.get("/queue", {"q": query}).status_code == 200


def test_past_runs_show_how_each_ended(viewer, running):
    running.fail("chunk_failed", "no")
    page = viewer.get(f"/specs/{running.spec_id}").content.decode()
    assert "A chunk failed" in page
    assert f'href="/workers/{running.pk}"' in page
