"""One module per format; each reads a file into a `SpecDocument`. A new one is a module and a line here."""

from pathlib import Path
from types import ModuleType

from specs.importers import native

FORMATS: tuple[ModuleType, ...] = (native,)


def importer_for(path: Path) -> ModuleType | None:
    """The first format that recognises `path`, which offers `parse(text, default_executor)`."""
    return next((importer for importer in FORMATS if importer.detect(path)), None)
