"""Settings as people and providers write them: taken where their meaning is certain, else refused in one sentence."""

import pytest

from worker.setting_sources import SettingsError
from worker.setting_values import broker_url, cleaned, database_url, header_value, http_url, masked, redis_url
from worker.settings import read_settings

TAKEN = [
    (
        "database_url",
        "postgres://app:pw@db.example.com:5432/turnout",
        "postgresql://app:pw@db.example.com:5432/turnout",
    ),
    ("database_url", '"postgresql://app@db.example.com/turnout"', "postgresql://app@db.example.com/turnout"),
    ("database_url", "'postgresql://app@db.example.com/turnout'\n", "postgresql://app@db.example.com/turnout"),
    ("database_url", "POSTGRESQL://db.example.com/turnout", "postgresql://db.example.com/turnout"),
    ("database_url", "postgresql+psycopg://db.example.com/t", "postgresql+psycopg://db.example.com/t"),
    ("database_url", "postgresql://app:p%40ss%2Fw%23rd@[::1]:5432/t?sslmode=require", None),
    ("database_url", "postgresql:///turnout?host=/run/postgresql", None),
    ("database_url", "postgresql://a.example.com:5432,b.example.com:5432/t?target_session_attrs=read-write", None),
    ("database_url", "postgresql://db.example.com/t?options=-csearch_path%3Dturnout", None),
    ("database_url", "postgresql:///t", None),
    ("broker_url", "redis://cache.example.com:6379/0\r\n", "redis://cache.example.com:6379/0"),
    ("broker_url", "valkey://cache.example.com:6379/1", "redis://cache.example.com:6379/1"),
    ("broker_url", "redis://:p%23ss@cache.example.com", None),
    ("broker_url", "redis://default:pw@cache.example.com:6379", None),
    ("broker_url", "rediss://cache.example.com/0", "rediss://cache.example.com/0?ssl_cert_reqs=required"),
    (
        "broker_url",
        "rediss://cache.example.com/0?ssl_cert_reqs=CERT_NONE",
        "rediss://cache.example.com/0?ssl_cert_reqs=none",
    ),
    ("broker_url", "amqp://guest:guest@mq.example.com:5672//", None),
    ("broker_url", "amqps://app:pw@mq.example.com/vhost", None),
    ("redis_url", "unix:///run/valkey.sock?db=1", None),
    ("redis_url", "valkeys://cache.example.com", "rediss://cache.example.com?ssl_cert_reqs=required"),
    ("hubspot_url", "https://api.hubapi.com/", "https://api.hubapi.com"),
    ("hubspot_url", '"http://127.0.0.1:8900"', "http://127.0.0.1:8900"),
]

SECRET = "s3cretword"
REFUSED = {
    "database_url": [
        "localhost:5432/turnout",
        "localhost",
        "turnout",
        "db.example.com/turnout",
        "jdbc:postgresql://db.example.com/turnout",
        f"host=db.example.com dbname=turnout password={SECRET}",
        f"mysql://app:{SECRET}@db.example.com/turnout",
        f"mariadb://app:{SECRET}@db.example.com/turnout",
        "sqlite:///turnout.db",
        "mongodb://db.example.com/turnout",
        f"postgresql+psycopg2://app:{SECRET}@db.example.com/turnout",
        f"postgresql+asyncpg://app:{SECRET}@db.example.com/turnout",
        f"postgresql+pg8000://app:{SECRET}@db.example.com/turnout",
        f"postgis://app:{SECRET}@db.example.com/turnout",
        f"cockroachdb://app:{SECRET}@db.example.com/turnout",
        f"redis://:{SECRET}@db.example.com/0",
        "http://db.example.com/turnout",
        f"postgresql://app:{SECRET}@ss@db.example.com/turnout",
        f"postgresql://app:{SECRET}/w@db.example.com/turnout",
        f"postgresql://app:{SECRET}#w@db.example.com/turnout",
        f"postgresql://app:{SECRET}?w@db.example.com/turnout",
        f"postgresql://app:{SECRET}[w@db.example.com/turnout",
        f"postgresql://app:{SECRET}%w@db.example.com/turnout",
        f"postgresql://app:{SECRET} w@db.example.com/turnout",
        f"postgresql://app:{SECRET}@db.example.com:port/turnout",
        f"postgresql://app:{SECRET}@db.example.com:99999/turnout",
        f"postgresql://app:{SECRET}@db.example.com:0/turnout",
        f"postgresql://app:{SECRET}@/turnout",
        f"postgresql://app:{SECRET}@:5432/turnout",
        f"postgresql://app:{SECRET}@db.example.com/turnout?pgbouncer=true",
        f"postgresql://app:{SECRET}@db.example.com/turnout?schema=public",
        f"postgresql://app:{SECRET}@db.example.com/turnout?connection_limit=5&pool_timeout=10",
        f"postgresql://app:{SECRET}@db.example.com/turnout?sslaccept=strict",
        f"postgresql://app:{SECRET}@db.example.com/turnout?ssl=true",
        f"postgresql://app:{SECRET}@db.example.com/turnout?charset=utf8",
        f"postgresql://app:{SECRET}@db.example.com/turnout?supa=base-pooler.x",
        "postgresql://db.example.com/turn out",
        "postgresql://db.example.com\n/turnout",
        "postgresql:db.example.com/turnout",
        "postgresql:/db.example.com/turnout",
        "//db.example.com/turnout",
        "${DATABASE_URL}",
        "$DATABASE_URL",
        "<your database url>",
        "None",
    ],
    "broker_url": [
        "localhost:6379",
        "redis",
        "redis:6379",
        "redis:/cache.example.com",
        f"sentinel://:{SECRET}@cache.example.com:26379",
        "sqs://",
        "kafka://mq.example.com:9092",
        "memory://",
        "filesystem://",
        "pgmq://db.example.com",
        f"postgresql://app:{SECRET}@db.example.com/turnout",
        "unix:///run/redis.sock",
        "redis+socket:///run/redis.sock",
        "redis-cluster://cache.example.com",
        f"redis://:{SECRET}#w@cache.example.com:6379/0",
        f"redis://:{SECRET}/w@cache.example.com:6379/0",
        f"redis://:{SECRET}@w@cache.example.com:6379/0",
        f"redis://:{SECRET}[w@cache.example.com:6379/0",
        f"redis://:{SECRET}%zz@cache.example.com:6379/0",
        "redis://cache.example.com:6379/zero",
        "redis://cache.example.com:6379/0/1",
        "redis://cache.example.com:port/0",
        "redis://cache.example.com:70000/0",
        "redis://cache.example.com:6379,b.example.com:6379/0",
        "redis://",
        "redis:///0",
        "redis://:6379/0",
        "rediss://cache.example.com/0?ssl_cert_reqs=maybe",
        f"amqp://app:{SECRET}#w@mq.example.com//",
        f"amqp://app:{SECRET}/w@mq.example.com//",
        f"amqp://app:{SECRET}@mq.example.com:mq//",
        "amqp://",
        "rabbitmq://mq.example.com",
        "https://mq.example.com",
        "redis://cache.example.com:6379/0 ",
    ],
    "redis_url": [
        "localhost:6379",
        "amqp://guest:guest@mq.example.com",
        "unix://",
        f"redis://:{SECRET}#w@cache.example.com",
        "redis://cache.example.com/x",
        "memcached://cache.example.com",
        "tcp://cache.example.com:6379",
        "redis://cache.example.com:6379/0\t1",
    ],
    "hubspot_url": [
        "api.hubapi.com",
        "api.hubapi.com/",
        "//api.hubapi.com",
        "ftp://api.hubapi.com",
        "https://",
        "https:api.hubapi.com",
        f"https://app:{SECRET}@api.hubapi.com",
        "https://api.hubapi.com?hapikey=1",
        "https://api.hubapi.com/#top",
        "https://api.hubapi.com:port",
        "https://api hubapi.com",
        "true",
    ],
    "hubspot_token": [
        f"Bearer {SECRET}",
        f"bearer {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{SECRET} {SECRET}",
        f"{SECRET}\n{SECRET}",
        f"{SECRET}é",
        f"{SECRET}\u200b",
        f"{SECRET}\x07",
        f"“{SECRET}”",
    ],
}
WRONG = [(name, value) for name, values in REFUSED.items() for value in values if value.strip() == value]


def test_the_corpus_is_large() -> None:
    assert len(WRONG) > 100


@pytest.mark.parametrize(("name", "written", "read"), TAKEN)
def test_what_means_one_thing_is_taken(
    name: str, written: str, read: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TURNOUT_{name.upper()}", written)
    assert getattr(read_settings(), name) == (read or written)


@pytest.mark.parametrize(("name", "written"), WRONG)
def test_what_is_wrong_is_refused_in_one_sentence(name: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TURNOUT_{name.upper()}", written)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    said = str(refused.value)
    assert said.startswith(f"TURNOUT_{name.upper()} ")
    assert "\n" not in said
    assert SECRET not in said
    assert len(said) < 320
    assert any(word in said for word in ("expected", "write", "copy", "leave out"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://app:{SECRET}@h/db", "«postgresql://***@h/db»"),
        (f"redis://:{SECRET}#@h", "«redis://***@h»"),
        (f"postgresql://h/db?password={SECRET}", "«postgresql://h/db?…»"),
        (f"host=h password={SECRET}", "«host=…»"),
        (SECRET, "«…»"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_what_a_file_left_around_a_value_is_taken_off() -> None:
    assert cleaned("  \"'a'\" \r\n") == "a"
    assert cleaned('"') == '"'
    assert cleaned(7) == 7


@pytest.mark.parametrize("read", [database_url, broker_url, redis_url])
def test_nothing_is_no_url_and_passes(read: object) -> None:
    assert read("") == ""  # type: ignore[operator]


def test_a_token_of_printable_letters_is_taken() -> None:
    token = "pat-na1-11111111-2222-3333-4444-555555555555"
    assert header_value(token) == token
    assert http_url("https://api.hubapi.com") == "https://api.hubapi.com"
