"""What is much too much: names, numbers, depth, and what would be once it was unpacked."""

import ast
import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from dashboard.models import AuditEntry
from specs.text import is_name
from tests.accounts.recipes import API, PAGES, YAML, World
from tests.accounts.test_every_role import operations
from tests.architecture.source import modules
from tests.support import make

pytestmark = pytest.mark.django_db
LONG = "x" * 1_000_000
DEEP: Any = 1
for _ in range(40):
    DEEP = {"a": [DEEP]}
UNPACKERS = {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib", "pickle", "shelve", "marshal", "dill"}
IN_FORMS = (LONG, "a\0b", "9" * 5000, "-1", "1e400", "NaN", "\ud800", "=1+1", "٣")
IN_JSON = (LONG, "a\0b", 10**30, -(10**30), -1, 1.5, True, None, [], {}, DEEP, [LONG], {LONG: LONG}, "\ud800", "\u202e")


@pytest.fixture
def world(tmp_path: Path, admin: Client, node: object) -> World:
    return World(tmp_path, User.objects.get(username="ada"))


@pytest.mark.parametrize("action", sorted(API), ids=" ".join)
def test_no_field_of_the_api_takes_what_is_too_much(action: tuple[str, str], admin: Client, world: World) -> None:
    admin.raise_request_exception = False
    call = API[action](world)
    method, path = action[0], "/api" + operations()[action[1]][1]
    for argument in call.arguments:
        path = path.replace("4711", str(argument), 1)
    for name in call.data:
        for value in IN_JSON:
            body = json.dumps({**call.data, name: value})
            reply = admin.generic(method, path, body, "application/json")
            assert reply.status_code < 500, (name, str(value)[:40], reply.content[:300])
            if LONG in body:
                assert reply.status_code >= 400, (name, str(value)[:40])
    assert LONG[:1000] not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("action", sorted(action for action in PAGES if action[0] == "POST"), ids=" ".join)
def test_no_form_takes_what_is_too_much(action: tuple[str, str], admin: Client, world: World) -> None:
    admin.raise_request_exception = False
    call = PAGES[action](world)
    path = reverse(action[1], args=call.arguments)
    for name in call.data:
        for value in IN_FORMS:
            if value == "\ud800":
                body = "&".join(f"{each}=%ed%a0%80" for each in call.data).encode()
                reply = admin.generic("POST", path, body, "application/x-www-form-urlencoded")
            else:
                reply = admin.post(path, {**call.data, name: value})
            assert reply.status_code < 500, (name, value[:40])
    assert LONG[:1000] not in str(list(AuditEntry.objects.values()))


# What is packed stays packed.


def test_nothing_of_ours_unpacks_anything() -> None:
    for module in modules():
        if "files" in module.path.parts:  # of the demo's repositories
            continue
        for node in ast.walk(module.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not UNPACKERS & {name.partition(".")[0] for name in names}, module.path
            if isinstance(node, ast.Attribute):
                assert node.attr != "unpack_archive", module.path


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_a_body_that_was_packed_is_not_unpacked(how: str, admin: Client) -> None:
    packed = (gzip.compress if how == "gzip" else zlib.compress)(b'{"name": "' + b"x" * 50_000_000 + b'"}')
    reply = admin.generic("POST", "/api/projects", packed, "application/json", headers={"Content-Encoding": how})
    assert reply.status_code == 400
    assert "is not JSON" in reply.json()["detail"]


@pytest.mark.parametrize("name", ["specs.zip", "../../evil.yaml", "a\0b.yaml", "x" * 1000])
def test_a_zip_that_is_uploaded_as_a_spec_is_no_text(name: str, admin: Client, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.yaml", "x" * 20_000_000)
    project = make.project(tmp_path)
    upload = SimpleUploadedFile(name, packed.getvalue())
    reply = admin.post("/specs/new", {"project": project.name, "file": upload})
    assert reply.status_code == 422
    assert "is not text in UTF-8" in reply.content.decode()
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "name", ["../../evil.yaml", "/etc/passwd.yaml", "..\\..\\evil.yaml", "<b>.yaml", "x" * 200 + ".yaml"]
)
def test_the_name_of_an_uploaded_file_is_no_path(name: str, admin: Client, tmp_path: Path) -> None:
    project = make.project(tmp_path)
    admin.post("/specs/new", {"project": project.name, "file": SimpleUploadedFile(name, YAML.encode())})
    assert all(is_name(spec.key) for spec in project.specs.all())
    assert list(tmp_path.rglob("*")) == []


def test_a_zip_that_calls_itself_a_spec_is_no_text(admin: Client, tmp_path: Path) -> None:
    (tmp_path / ".specyard").mkdir()
    with zipfile.ZipFile(tmp_path / ".specyard/one.yaml", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", "x" * 20_000_000)
    reply = admin.post("/projects/import", {"path": str(tmp_path)})
    assert reply.status_code == 422
    assert "is not text in UTF-8" in reply.content.decode()
