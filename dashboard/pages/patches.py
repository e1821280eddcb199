"""Patches as files to keep, for whoever asks for them."""

import tempfile
from contextlib import ExitStack

from django.http import FileResponse

from workers.diffs import Change
from workers.patches import write_patch
from workers.spans import Span


def patch_file(span: Span, change: Change | None = None) -> FileResponse:
    """What differs, or what differs in one file, as `git apply` takes it; secrets are hidden. Raises GitFailed."""
    with ExitStack() as until_it_is_written:
        file = until_it_is_written.enter_context(tempfile.TemporaryFile())
        write_patch(span.directory, file, span.old, span.new, change, span.mask)
        until_it_is_written.pop_all()  # the reply closes it
    file.seek(0)
    name = f"worker-{span.worker.pk}-{span.old[:10]}-{span.new[:10]}.patch"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/x-diff; charset=utf-8")
