"""Keys to the HTTP API: shown once, kept as a hash, rotated with an overlap, revoked; and what each reaches."""

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text, update

import web.attendance
from models.tables import Key
from models.words import Role
from tests.support.api import Api, key_for, running_server
from tests.support.fixtures import Facts, Turnout
from tests.support.ledger import do
from worker.accounts import registry, state
from worker.auth import keys
from worker.context import Context
from worker.settings import Settings


@pytest.fixture
def made(turnout: Turnout) -> Facts:
    """Make or rotate a key; give what is shown of it."""
    return lambda *words: json.loads(turnout("keys", *words, "--json").stdout)


@pytest.fixture
def acme(engine: Engine, settings: Settings) -> str:
    assert registry.add(engine, settings, "acme", {}, SecretStr("token-of-acme"))
    return "acme"


@pytest.fixture
def api(context: Context) -> Iterator[Api]:
    with running_server(context) as url:
        yield Api(url, "", context)


def verified(engine: Engine, presented: str) -> keys.ApiKey | None:
    with engine.begin() as connection:
        return keys.verify(connection, presented)


def reached(engine: Engine, presented: str) -> set[str]:
    key = verified(engine, presented)
    assert key is not None
    return set(key.accounts)


def dump(engine: Engine) -> str:
    """Write every row of every table as text; bytes as hexadecimal digits."""
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        )
        rows = [
            connection.execute(text(f"SELECT t::text FROM {table} t")).scalars() for table in list(tables.scalars())
        ]
        return "\n".join(row for some in rows for row in some)


# Made


def test_a_key_is_shown_once_with_what_it_is(made: Facts, acme: str, engine: Engine) -> None:
    shown = made("create", "shop", "--role", "producer", "--account", acme, "--account", "default")
    assert list(shown) == ["name", "key", "role", "accounts"]
    assert (shown["name"], shown["role"], shown["accounts"]) == ("shop", "producer", ["acme", "default"])
    key = verified(engine, shown["key"])
    assert key is not None
    assert (key.name, key.role, set(key.accounts)) == ("shop", Role.PRODUCER, {"acme", "default"})


@pytest.mark.usefixtures("acme")
def test_without_an_account_a_producers_key_reaches_the_default_one(made: Facts, engine: Engine) -> None:
    shown = made("create", "shop", "--role", "producer")
    assert shown["accounts"] == ["default"]
    assert reached(engine, shown["key"]) == {"default"}


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_an_operators_and_a_viewers_key_reach_every_account_those_added_later_too(
    made: Facts, engine: Engine, settings: Settings, role: str
) -> None:
    shown = made("create", "somebody", "--role", role)
    assert shown["accounts"] == []
    assert reached(engine, shown["key"]) == {"default"}
    registry.add(engine, settings, "later", {}, SecretStr("token"))
    assert reached(engine, shown["key"]) == {"default", "later"}


def test_without_json_the_key_stands_alone_on_its_line(turnout: Turnout, engine: Engine) -> None:
    key, said = turnout("keys", "create", "shop", "--role", "producer").stdout.splitlines()
    assert verified(engine, key) is not None
    assert said == "This is shown once: keep it where shop finds it."


def test_the_key_is_found_nowhere_in_the_database_only_its_hash(made: Facts, engine: Engine, api: Api) -> None:
    presented = made("create", "shop", "--role", "producer")["key"]
    rotated = made("rotate", "shop")["key"]
    for key in (presented, rotated):
        assert api.submit("ada@example.com", key=key).status_code == 200
    held = dump(engine)
    assert "shop" in held
    for key in (presented, rotated):
        secret = key.split("_", 2)[2]
        assert hashlib.sha256(secret.encode()).hexdigest() in held
        plain = base64.urlsafe_b64decode(secret + "=")
        for form in (key, secret, key.encode().hex(), secret.encode().hex(), plain.hex()):
            assert form not in held


def test_no_key_is_logged_good_or_not(
    made: Facts, api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    good = made("create", "shop", "--role", "producer")["key"]
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    said = [api.submit("ada@example.com", key=key).text for key in (good, wrong)]
    monkeypatch.setattr(web.attendance, "account_of", lambda *_: 1 / 0)
    said.append(api.submit("ada@example.com", key=good).text)
    assert "request failed" in [record.getMessage() for record in caplog.records if record.name.startswith("web")]
    for key in (good, wrong):
        assert key.split("_", 2)[2] not in caplog.text + "".join(said)


# What is no key, and what cannot be made


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_only_a_producers_key_is_for_accounts(turnout: Turnout, role: str) -> None:
    refused = turnout("keys", "create", "somebody", "--role", role, "--account", "default", status=2)
    assert "reaches every account" in refused.stderr
    turnout("keys", "create", "somebody", "--role", "boss", status=2)
    turnout("keys", "create", "somebody", status=2)


def test_an_account_that_nobody_knows_is_refused_and_no_key_made(turnout: Turnout, made: Facts) -> None:
    refused = turnout("keys", "create", "shop", "--role", "producer", "--account", "nobody", status=2)
    assert "there is no account nobody" in refused.stderr
    assert made("list") == []


def test_a_name_is_given_to_one_key_until_that_is_revoked(turnout: Turnout, made: Facts, engine: Engine) -> None:
    first = made("create", "shop", "--role", "producer")["key"]
    assert "there is a key shop" in turnout("keys", "create", "shop", "--role", "viewer", status=2).stderr
    turnout("keys", "revoke", "shop")
    second = made("create", "shop", "--role", "viewer")["key"]
    assert verified(engine, first) is None
    assert verified(engine, second) is not None


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "x" * 256])
def test_a_name_is_short_and_printable(turnout: Turnout, name: str) -> None:
    assert "printable" in turnout("keys", "create", "--role", "producer", "--", name, status=2).stderr


def test_only_the_whole_key_is_good(made: Facts, engine: Engine) -> None:
    key, other = (made("create", name, "--role", "producer")["key"] for name in ("shop", "another"))
    turnout_, number, secret = key.split("_", 2)
    for presented in (
        "",
        secret,
        key[:-1],
        key + "A",
        key + "\n",
        key.upper(),
        f"{turnout_}_{number}_{'x' * 43}",
        f"{turnout_}_{other.split('_')[1]}_{secret}",
        f"{turnout_}_999999999_{secret}",
        f"{turnout_}_99999999999999999999_{secret}",
        f"{turnout_}_-1_{secret}",
        f"{turnout_}_\u0661_{secret}",
        f"{turnout_}_{number}_{'é' * 43}",
    ):
        assert verified(engine, presented) is None, presented
    assert verified(engine, key) is not None


# Listed, rotated, revoked


def test_the_list_shows_whose_keys_there_are_and_never_a_key(
    made: Facts, turnout: Turnout, acme: str, engine: Engine
) -> None:
    shop = made("create", "shop", "--role", "producer", "--account", acme)["key"]
    made("create", "ops", "--role", "operator")
    made("create", "gone", "--role", "viewer")
    turnout("keys", "revoke", "gone")
    assert verified(engine, shop) is not None
    ops, listed = made("list")
    assert (ops["name"], ops["role"], ops["accounts"], ops["used_at"]) == ("ops", "operator", [], None)
    assert (listed["name"], listed["role"], listed["accounts"]) == ("shop", "producer", ["acme"])
    assert listed["created_at"]
    assert listed["used_at"]
    assert listed["old_until"] is None
    assert shop.split("_", 2)[2] not in json.dumps([ops, listed])
    assert not any("hash" in column for column in listed)


def test_a_rotated_keys_old_one_is_good_until_the_overlap_ends(made: Facts, api: Api, engine: Engine) -> None:
    old = made("create", "shop", "--role", "producer")["key"]
    shown = made("rotate", "shop", "--overlap", "3600")
    assert list(shown) == ["name", "key"]
    assert made("list")[0]["old_until"] is not None
    assert [api.submit("ada@example.com", key=key).status_code for key in (old, shown["key"])] == [200, 200]
    do(engine, update(Key).values(old_until=Key.old_until - timedelta(hours=1)))
    assert api.submit("ada@example.com", key=old).status_code == 401
    assert api.submit("ada@example.com", key=shown["key"]).status_code == 200
    assert made("list")[0]["old_until"] is None


def test_by_default_the_old_one_is_good_for_a_day_more(made: Facts, engine: Engine) -> None:
    made("create", "shop", "--role", "producer")
    made("rotate", "shop")
    with engine.connect() as connection:
        left = connection.execute(text("SELECT extract(epoch FROM old_until - now()) FROM keys")).scalar_one()
    assert 86_000 < left <= 86_400


def test_without_an_overlap_every_older_key_ends_at_once(made: Facts, engine: Engine) -> None:
    first = made("create", "shop", "--role", "producer")["key"]
    second = made("rotate", "shop")["key"]
    third = made("rotate", "shop", "--overlap", "0")["key"]
    assert [verified(engine, key) is not None for key in (first, second, third)] == [False, False, True]


def test_a_key_rotated_twice_has_its_last_two(made: Facts, engine: Engine) -> None:
    first = made("create", "shop", "--role", "producer")["key"]
    second = made("rotate", "shop")["key"]
    third = made("rotate", "shop")["key"]
    assert [verified(engine, key) is not None for key in (first, second, third)] == [False, True, True]


def test_a_rotated_key_is_the_same_producers(made: Facts, acme: str, engine: Engine, api: Api) -> None:
    old = made("create", "shop", "--role", "producer", "--account", acme)["key"]
    first = api.submit("ada@example.com", key=old, headers={"Idempotency-Key": "1"})
    new = made("rotate", "shop")["key"]
    assert reached(engine, new) == {"acme"}
    again = api.submit("ada@example.com", key=new, headers={"Idempotency-Key": "1"})
    assert again.content == first.content


def test_a_revoked_key_is_good_no_longer_from_the_next_request_on_its_old_one_neither(
    made: Facts, turnout: Turnout, api: Api
) -> None:
    old = made("create", "shop", "--role", "producer")["key"]
    new = made("rotate", "shop")["key"]
    assert [api.submit("ada@example.com", key=key).status_code for key in (old, new)] == [200, 200]
    assert turnout("keys", "revoke", "shop").stdout == "key shop is revoked\n"
    assert [api.submit("ada@example.com", key=key).status_code for key in (old, new)] == [401, 401]
    assert made("list") == []


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_said_to_be(turnout: Turnout, command: str) -> None:
    assert "there is no key shop" in turnout("keys", command, "shop", status=1).stderr
    turnout("keys", "create", "shop", "--role", "viewer")
    turnout("keys", "revoke", "shop")
    assert "there is no key shop" in turnout("keys", command, "shop", status=1).stderr


@pytest.mark.parametrize("overlap", ["-1", "7776001", "nan", "inf"])
def test_an_overlap_is_a_number_of_seconds_of_ninety_days_at_most(
    turnout: Turnout, engine: Engine, overlap: str
) -> None:
    key = turnout("keys", "create", "shop", "--role", "producer").stdout.splitlines()[0]
    turnout("keys", "rotate", "shop", "--overlap", overlap, status=2)
    assert verified(engine, key) is not None


# What a key reaches


def test_a_removed_account_is_no_longer_reached_and_once_more_where_it_is_added_again(
    made: Facts, acme: str, engine: Engine, settings: Settings, api: Api
) -> None:
    both = made("create", "both", "--role", "producer", "--account", acme, "--account", "default")["key"]
    one = made("create", "one", "--role", "producer", "--account", acme)["key"]
    number = state.find(engine, acme)
    assert number is not None
    registry.remove(engine, number)
    assert (reached(engine, both), reached(engine, one)) == ({"default"}, set())
    assert {key["name"]: key["accounts"] for key in made("list")} == {"both": ["default"], "one": []}
    named = {"Turnout-Account": acme}
    assert api.submit("ada@example.com", key=both, headers=named).status_code == 403
    assert api.submit("ada@example.com", key=both).status_code == 200, "of two accounts one is left"
    refused = api.submit("ada@example.com", key=one)
    assert (refused.status_code, refused.json()["category"]) == (403, "FORBIDDEN")
    assert "reaches no account" in refused.json()["message"]
    assert registry.add(engine, settings, acme, {}, SecretStr("token"))
    assert api.submit("ada@example.com", key=one).status_code == 200


def test_a_receipt_is_shown_to_every_role_but_to_a_producer_only_of_its_accounts(api: Api, acme: str) -> None:
    shop, stranger = key_for(api.context, "shop"), key_for(api.context, "stranger", Role.PRODUCER, acme)
    receipt = api.submit("ada@example.com", key=shop).json()["links"]["submission"].removeprefix(api.url)
    asked = {"shop": shop, "stranger": stranger, "nobody": "x"}
    asked |= {role.value: key_for(api.context, role.value, role) for role in (Role.OPERATOR, Role.VIEWER)}
    statuses = {whose: api.ask("GET", receipt, key=key).status_code for whose, key in asked.items()}
    assert statuses == {"shop": 200, "stranger": 404, "nobody": 401, "operator": 200, "viewer": 200}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_schemes_name_is_read_in_any_case(api: Api, scheme: str) -> None:
    key = key_for(api.context, "shop")
    assert api.submit("ada@example.com", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer {key} {key}"])
def test_what_is_no_bearer_key_is_401(api: Api, authorization: str) -> None:
    key = key_for(api.context, "shop")
    refused = api.submit("ada@example.com", headers={"Authorization": authorization.format(key=key)})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
