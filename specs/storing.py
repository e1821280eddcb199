"""From documents to rows and back. What stays the same thing stays the same row."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from specs.acting import changes, record
from specs.errors import SpecInvalid
from specs.importers.document import ChunkDocument, SpecDocument
from specs.models import Chunk, Project, Spec

CHUNK_FIELDS = [field.name for field in fields(ChunkDocument)]
SPEC_FIELDS = [field.name for field in fields(SpecDocument) if field.name != "chunks"]
# Added to all places before they are given out anew, so that no two chunks share one for a moment.
OUT_OF_THE_WAY = 1_000_000


@dataclass(frozen=True)
class Source:
    """The file that a spec comes from, and the SHA-256 of what it held."""

    path: str
    hash: str


@dataclass(frozen=True)
class ImportResult:
    """A stored spec. `changed` is true for a new one too; false means that its content was left alone."""

    spec: Spec
    created: bool
    changed: bool


def document_of(spec: Spec) -> SpecDocument:
    """The stored spec as a document."""
    chunks = [ChunkDocument(**{name: getattr(chunk, name) for name in CHUNK_FIELDS}) for chunk in spec.chunks.all()]
    return SpecDocument(**{name: getattr(spec, name) for name in SPEC_FIELDS}, chunks=chunks)


def store(project: Project, key: str, document: SpecDocument, source: Source | None = None) -> ImportResult:
    """Creates or updates the project's spec `key`. A file that is as it was leaves the spec as it is now."""
    with transaction.atomic():
        # Two imports at once take turns; `no_key` keeps out of the way of rows that refer to the project.
        if not Project.objects.select_for_update(no_key=True).filter(pk=project.pk).exists():
            raise SpecInvalid([("project", "does not exist any more")])
        spec = Spec.objects.filter(project=project, key=key).first()
        if spec and source == Source(spec.source_path, spec.source_hash):
            return ImportResult(spec, created=False, changed=False)
        created = spec is None
        old = document_of(spec) if spec else None
        spec = spec or Spec(project=project, key=key)
        changed = old is None or not old.same_as(document)
        if source:
            spec.source_path, spec.source_hash, spec.imported_at = source.path, source.hash, timezone.now()
        if changed:
            _write(spec, document)
            _record(spec, old, document, source)
        elif source:
            spec.save(update_fields=["source_path", "source_hash", "imported_at"])
        return ImportResult(spec, created=created, changed=changed)


def _record(spec: Spec, old: SpecDocument | None, new: SpecDocument, source: Source | None) -> None:
    """Say what has changed: fields of the spec, and of chunks only which ones."""
    before, after = changes(_facts(old) if old else {}, _facts(new))
    if old is not None:
        known = {chunk.key: chunk for chunk in old.chunks}
        after["changed_chunks"] = [chunk.key for chunk in new.chunks if known.get(chunk.key, chunk) != chunk]
    if source:
        after["source"] = source.path
    record("spec.create" if old is None else "spec.change", spec, before=before, after=after)


def _facts(document: SpecDocument) -> dict[str, Any]:
    facts = {name: getattr(document, name) for name in SPEC_FIELDS}
    return facts | {"chunks": [chunk.key for chunk in document.chunks]}


def _write(spec: Spec, document: SpecDocument) -> None:
    for name in SPEC_FIELDS:
        setattr(spec, name, getattr(document, name))
    spec.save()
    existing = {chunk.key: chunk for chunk in spec.chunks.all()}
    spec.chunks.exclude(key__in=[chunk.key for chunk in document.chunks]).delete()
    spec.chunks.update(ordinal=F("ordinal") + OUT_OF_THE_WAY)
    kept: list[Chunk] = []
    new: list[Chunk] = []
    for ordinal, item in enumerate(document.chunks, start=1):
        (kept if item.key in existing else new).append(chunk := existing.get(item.key, Chunk(spec=spec)))
        chunk.ordinal = ordinal
        for name, value in asdict(item).items():
            setattr(chunk, name, value)
    Chunk.objects.bulk_update(kept, ["ordinal", *CHUNK_FIELDS])
    Chunk.objects.bulk_create(new)
