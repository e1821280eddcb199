"""`specyard secrets`: the keys with which secrets are encrypted. Values are set on the pages and by the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dashboard.cli import flags

if TYPE_CHECKING:
    from dashboard.config import Config


@click.group("secrets")
def command() -> None:
    """Keys of the secrets: make one, change to another.

    \b
    Examples:
      specyard secrets new-key
      specyard secrets rotate
    """


@command.command("new-key")
def new_key() -> None:
    """Print a new key, for SPECYARD_SECRETS_KEY or for a file that SPECYARD_SECRETS_KEY_FILE names.

    \b
    Example:
      (umask 077; specyard secrets new-key >/etc/specyard/secrets.key)
    """
    from dashboard.config import encryption

    click.echo(encryption.new())


@command.command("rotate")
@click.option("--drop-old", is_flag=True, help="Then forget the older keys in the data directory.")
@flags.settings("--data-dir", "--config")
def rotate(drop_old: bool) -> None:
    """Encrypt every secret with the newest key.

    Where the keys are in the data directory, a new one is put in front of them first, unless an earlier rotation was
    interrupted. Where you give the keys yourself, put the new one in front, start everything anew, and then call this.
    It may be interrupted and repeated; workers go on meanwhile. Old keys stay, for backups, unless you drop them.

    \b
    Examples:
      specyard secrets rotate
      specyard secrets rotate --drop-old
    """
    from dashboard.cli import application, ground
    from dashboard.cli.refusal import Refused

    config = ground.configuration()
    application.load()
    from specs import secrets
    from specs.acting import record
    from specs.errors import SecretUnreadable

    with application.database(), _alone(config):
        try:
            if not drop_old or not secrets.all_under_first_key():
                added = _put_new_key_in_front(config)
                changed = secrets.encrypt_anew()
                record("secret.rotate", after={"new_key": added, "encrypted_anew": changed})
                click.echo(f"{'Made a new key. ' if added else ''}{changed} encrypted anew.")
                if _given(config) and len(config.secrets_keys()) > 1:
                    click.echo("The first of your keys opens everything; the others are for backups from before.")
            if drop_old:
                _drop_old_keys(config)
        except SecretUnreadable as error:
            raise Refused(f"{error}\nThe others are encrypted with the newest key; nothing was dropped.") from error


@contextmanager
def _alone(config: "Config") -> Iterator[None]:
    """Within: nobody else changes keys that are ours to change. Raises Refused."""
    from dashboard.cli.refusal import Refused
    from dashboard.config import encryption

    if _given(config):
        yield
        return
    try:
        with encryption.alone(encryption.file_of(config)):
            yield
    except BlockingIOError as error:
        raise Refused("Somebody else is changing the keys at this moment. Wait, and try again.") from error
    except OSError as error:
        raise Refused(f"The keys cannot be changed: {error}") from error


def _put_new_key_in_front(config: "Config") -> bool:
    """Make a key where keys are ours to make, unless the newest one is not used for everything yet. Raises Refused."""
    from dashboard.cli.refusal import Refused
    from dashboard.config import encryption
    from specs import secrets

    if _given(config) or not encryption.file_of(config).exists() or not secrets.all_under_first_key():
        return False
    path = encryption.file_of(config)
    try:
        encryption.write(path, [encryption.new(), *config.secrets_keys()], replace=True)
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be written: {error}") from error
    return True


def _drop_old_keys(config: "Config") -> None:
    """Keep the newest key alone; everything is under it. Raises Refused."""
    from dashboard.cli.refusal import Refused
    from dashboard.config import encryption

    if _given(config):
        raise Refused("The keys are given by settings: take the older ones out there.")
    from django.db import transaction

    from specs import secrets

    path, keys = encryption.file_of(config), config.secrets_keys()
    if len(keys) > 1:
        with transaction.atomic():  # SQLite lets nobody else store one meanwhile
            encryption.write(path, keys[:1], replace=True)
            if not secrets.all_under_first_key():  # somebody stored one with the old key at this very moment
                encryption.write(path, keys, replace=True)
                raise Refused("A secret was stored meanwhile. Nothing was dropped; try again.")
    click.echo(
        f"Dropped {len(keys) - 1} older. Backups from before need them: restore the database with its secrets.key."
    )


def _given(config: "Config") -> bool:
    """Whether a person keeps the keys, and not we."""
    return bool(config.secrets_key.get_secret_value() or config.secrets_key_file)
