"""Where things are and how much is allowed: one typed configuration for everybody.

    from dashboard import config
    config.load().port

Values come from defaults, the user's `specyard.toml`, that of the project (the working directory), variables and flags;
each is stronger than the one before it.

To add a setting, write one field in `model.py`, in `Config` or in the class of its section, with a default and a
description, and an example where the default is none:

    webhook_seconds: Annotated[Whole, At("server.webhook_seconds")] = Field(default=10, ge=1, le=60, description="…")

Key, variable (SPECYARD_WEBHOOK_SECONDS), example file, `config show` and messages follow from that line. `SecretStr` is
masked everywhere; with repr=False a text may be an address, whose password is masked. The words above a new section go
into SECTIONS. Then write the tables of docs/configuration.md anew: python -P -m dashboard.config.document
"""

from dashboard.config.errors import ConfigInvalid
from dashboard.config.loading import Loaded, Source, load, loaded, out_of_reach, set_flag
from dashboard.config.model import Config

__all__ = ["Config", "ConfigInvalid", "Loaded", "Source", "load", "loaded", "out_of_reach", "set_flag"]
