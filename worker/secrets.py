"""The settings' secret key, and the keys that it keeps encrypted in the database."""

import base64
import hashlib
import os
import secrets
from contextlib import suppress
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Engine, text

from worker.settings import Settings, SettingsError

FILE: Final = "secret.key"
FINGERPRINT_KEY: Final = "fingerprint"


def cipher(settings: Settings) -> MultiFernet:
    """Make the cipher of the settings' key; several keys, by commas: the first encrypts, all decrypt."""
    keys = settings.secret_key.get_secret_value() or _key_of_this_machine(settings)
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.strip().encode()).digest())) for key in keys.split(",")]
    )


def _key_of_this_machine(settings: Settings) -> str:
    path = settings.data_dir / FILE
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = path.with_name(f"{FILE}.{os.getpid()}")
        made.touch(0o600)
        made.write_text(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(made, path)  # whole or not at all: several parts may start at once
        made.unlink()
    return path.read_text().strip()


def fingerprint_key(engine: Engine, settings: Settings) -> bytes:
    """Give the key of the fingerprints: made once for a database, kept encrypted there, never changed.

    Raises:
        SettingsError: where the settings' key is not the one it was encrypted with.

    """
    box = cipher(settings)
    fresh = box.encrypt(secrets.token_bytes(32))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO secrets (name, ciphertext) VALUES (:name, :fresh) ON CONFLICT DO NOTHING"),
            {"name": FINGERPRINT_KEY, "fresh": fresh},
        )
        kept = connection.execute(
            text("SELECT ciphertext FROM secrets WHERE name = :name"), {"name": FINGERPRINT_KEY}
        ).scalar_one()
    try:
        return box.decrypt(bytes(kept))
    except InvalidToken:
        raise SettingsError(
            "TURNOUT_SECRET_KEY is not the key this database was set up with: set the one that was used then"
            f" (without the setting it is in {settings.data_dir / FILE})"
        ) from None
