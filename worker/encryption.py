"""The settings' secret key, and what it keeps encrypted in the database: tokens, and the key of the fingerprints."""

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from models.tables import Account, Key, Secret
from worker import data_dir
from worker.setting_sources import SettingsError
from worker.settings import Settings

FILE: Final = "secret.key"
FINGERPRINT_KEY: Final = "fingerprint"


def cipher(settings: Settings) -> MultiFernet:
    """Make the cipher of the settings' key; several keys, by commas: the first encrypts, all decrypt.

    Raises:
        SettingsError: where the setting holds commas alone, or there is none and none can be made.

    """
    written = settings.secret_key.get_secret_value() or _key_of_this_machine(settings)
    keys = [key for each in written.split(",") if (key := each.strip())]
    if not keys:
        raise SettingsError("TURNOUT_SECRET_KEY holds no key; expected a long random text, or `new,old`")
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def _key_of_this_machine(settings: Settings) -> str:
    path = _file(settings)
    try:
        data_dir.make(settings.data_dir)
        if not path.exists():
            made = path.with_name(f"{FILE}.{os.getpid()}")
            data_dir.write(made, secrets.token_urlsafe(32))
            with suppress(FileExistsError):
                os.link(made, path)  # whole or not at all: several parts may start at once
            made.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"TURNOUT_SECRET_KEY is not set, and a key cannot be kept in {path.absolute()} ({error.strerror}): set it"
            " to a long random text, the same for every process",
            ["secret_key"],
        ) from None


def _file(settings: Settings) -> Path:
    return settings.data_dir / FILE


def seal(settings: Settings, secret: str) -> bytes:
    """Encrypt a text that is kept."""
    return cipher(settings).encrypt(secret.encode())


def unseal(settings: Settings, sealed: bytes) -> str:
    """Decrypt a text that was kept.

    Raises:
        SettingsError: where the settings' key is not the one it was encrypted with.

    """
    return _opened(settings, sealed).decode()


def _opened(settings: Settings, sealed: bytes) -> bytes:
    try:
        return cipher(settings).decrypt(bytes(sealed))
    except InvalidToken:
        raise SettingsError(
            "TURNOUT_SECRET_KEY is not the key this database was set up with: set the one that was used then"
            f" (without the setting it is in {_file(settings)})"
        ) from None


_KEEP: Final = insert(Secret).on_conflict_do_nothing()
_KEPT: Final = select(Secret.ciphertext).where(Secret.name == bindparam("called"))


def fingerprint_key(engine: Engine, settings: Settings) -> bytes:
    """Give the key of the fingerprints: made once for a database, kept encrypted there, never changed.

    Raises:
        SettingsError: where the settings' key is not the one it was encrypted with.

    """
    fresh = cipher(settings).encrypt(secrets.token_bytes(32))
    with engine.begin() as connection:
        connection.execute(_KEEP, {"name": FINGERPRINT_KEY, "ciphertext": fresh})
        kept = connection.execute(_KEPT, {"called": FINGERPRINT_KEY}).scalar_one()
    return _opened(settings, kept)


def check_key(connection: Connection, settings: Settings) -> None:
    """Compare the settings' key with the database's, where it has one; it makes none.

    Raises:
        SettingsError: where the settings' key is not the one the database was set up with, or there is none.

    """
    kept = connection.execute(_KEPT, {"called": FINGERPRINT_KEY}).scalar()
    if kept is None:
        return
    if not has_key(settings):
        raise SettingsError(
            "TURNOUT_SECRET_KEY is not set, and this database was set up with a key: set the one that was used then"
            f" (there is none in {_file(settings)} either)"
        )
    _opened(settings, kept)


def has_key(settings: Settings) -> bool:
    """Say whether there is a key here, without making one."""
    return bool(settings.secret_key.get_secret_value()) or _file(settings).exists()


KEPT: Final[Sequence[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]]]] = (
    (Secret.name, Secret.ciphertext),
    (Account.name, Account.token),
    (Account.name, Account.oauth),
    (Key.id, Key.webhook_secret),
)
"""Everything encrypted: what names its row, and the column."""


def rekey(engine: Engine, settings: Settings) -> int:
    """Encrypt everything kept anew with the first of the settings' keys, all or nothing; give how many there were.

    Raises:
        SettingsError: where something was encrypted with none of these keys; then nothing is changed.

    """
    box = cipher(settings)
    done = 0
    with engine.begin() as connection:
        for name, column in KEPT:
            kept = select(name, column).where(column.is_not(None)).order_by(name).with_for_update(key_share=True)
            for named, ciphertext in connection.execute(kept).all():
                try:
                    rotated = box.rotate(ciphertext)
                except InvalidToken:
                    raise SettingsError(
                        f"no key of TURNOUT_SECRET_KEY opens {column.key} of «{named}» in the table"
                        f" {column.class_.__tablename__}, so nothing is changed: name the key it was encrypted with"
                        " too (`new,old`)"
                    ) from None
                connection.execute(update(column.class_).where(name == named).values({column: rotated}))
                done += 1
    return done
