"""What is secret is encrypted with the settings' key, which can be changed; a wrong key is one clear sentence."""

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from models.tables import Account, Secret
from tests.support.ledger import Ledger
from worker.accounts import registry
from worker.encryption import FILE, cipher, fingerprint_key, rekey, seal, unseal
from worker.setting_sources import SettingsError
from worker.settings import Settings


def with_key(settings: Settings, key: str) -> Settings:
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def kept(engine: Engine) -> list[bytes]:
    ledger = Ledger(engine)
    secrets = [secret.ciphertext for secret in ledger.all(Secret)]
    return secrets + [one for row in ledger.all(Account) for one in (row.token, row.oauth) if one is not None]


def test_what_is_sealed_is_opened_by_the_same_key_only(settings: Settings) -> None:
    sealed = seal(settings, "pat-1")
    assert b"pat-1" not in sealed
    assert unseal(settings, sealed) == "pat-1"
    with pytest.raises(SettingsError, match="TURNOUT_SECRET_KEY is not the key this database was set up with"):
        unseal(with_key(settings, "another"), sealed)


def test_of_several_keys_the_first_encrypts_and_all_decrypt(settings: Settings) -> None:
    old = seal(with_key(settings, "old"), "pat-1")
    both = with_key(settings, " new , old,")
    assert unseal(both, old) == "pat-1"
    assert unseal(with_key(settings, "new"), seal(both, "pat-2")) == "pat-2"


@pytest.mark.parametrize("key", [",", " , "])
def test_a_key_of_commas_is_none(settings: Settings, key: str) -> None:
    with pytest.raises(SettingsError, match="holds no key"):
        cipher(with_key(settings, key))


def test_without_the_setting_a_key_is_made_once_readable_by_its_owner_alone(settings: Settings) -> None:
    unset = with_key(settings, "")
    sealed = seal(unset, "pat-1")
    assert unseal(unset, sealed) == "pat-1"
    assert (settings.data_dir / FILE).stat().st_mode & 0o777 == 0o600


def test_rekey_encrypts_everything_anew_so_that_the_new_key_alone_suffices(engine: Engine, settings: Settings) -> None:
    from hubspot_api.oauth import Grant

    old, both, new = (with_key(settings, key) for key in ("old", "new,old", "new"))
    key = fingerprint_key(engine, old)
    assert registry.add(engine, old, "acme", {}, SecretStr("pat-acme"))
    assert registry.add(engine, old, "beta", {}, Grant("id", SecretStr("secret"), SecretStr("refresh")))
    before = kept(engine)
    assert rekey(engine, both) == 3
    assert len(before) == 3
    assert not set(before) & set(kept(engine))
    assert fingerprint_key(engine, new) == key
    assert min(unseal(new, one) for one in kept(engine)[1:]) == "pat-acme"
    assert rekey(engine, new) == 3


def test_rekey_without_the_old_key_changes_nothing_and_says_what_is_missing(engine: Engine, settings: Settings) -> None:
    old = with_key(settings, "old")
    fingerprint_key(engine, old)
    registry.add(engine, with_key(settings, "older"), "acme", {}, SecretStr("pat-acme"))
    before = kept(engine)
    with pytest.raises(SettingsError, match=r"opens token of «acme» .* nothing is changed"):
        rekey(engine, with_key(settings, "new,old"))
    assert kept(engine) == before


def test_the_fingerprints_key_is_made_once_and_a_wrong_key_is_one_sentence(engine: Engine, settings: Settings) -> None:
    assert fingerprint_key(engine, settings) == fingerprint_key(engine, settings)
    with pytest.raises(SettingsError, match="is not the key this database was set up with"):
        fingerprint_key(engine, with_key(settings, "another"))
