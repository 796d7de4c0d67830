"""Values of settings, as people write them: read where their meaning is certain, refused in one sentence otherwise.

A refusal shows what was read with its secrets masked, says what is expected, and what to do.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from hubspot_api.address import is_loopback
from models.escaping import visible

DATABASE: Final = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
BROKER: Final = "redis://HOST:6379/0 or amqp://USER:PASSWORD@HOST:5672/VHOST"
REDIS: Final = "redis://HOST:6379/0, rediss://… for TLS, or unix:///PATH"
PROXY: Final = "http://USER:PASSWORD@HOST:3128"
BASE: Final = "https://api.hubapi.com"

MOST_PORT: Final = 65_535
WIDEST: Final = {4: 8, 6: 16}
"""The shortest prefix of a network of proxies: several that are wider would name every address."""
ENCODING: Final = "write special characters of a user or a password as % and two digits: @ as %40, # as %23, / as %2F"
_DSN: Final = re.compile(r"https?://[0-9A-Za-z]+(:[0-9A-Za-z]+)?@[^/?#@\s]+/([^?#\s]*/)?[0-9]+/?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}\]?")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\x9f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RENAMED: Final = {"postgres": "postgresql", "valkey": "redis", "valkeys": "rediss"}
"""Schemes that mean the same as another."""


def cleaned(value: object) -> object:
    """Take the blanks, line breaks and paired quotes off that a file or a shell left around a text."""
    if isinstance(value, str):
        value = value.strip()
        while len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].strip()
    return value


def masked(url: str) -> str:
    """Write a URL so that nobody reads a secret in it; of what is none, only how it begins."""
    found = _SCHEME.match(url)
    if not found:
        head = re.match(r"[A-Za-z0-9+.-]{1,20}[:=]", url)
        return f"«{head[0]}…»" if head else "«…»"
    address = url[found.end() :]
    _, at, place = address.rpartition("@")
    place = re.sub(r"[?#].*", "?…", place)
    return f"«{found[0]}{'***@' if at else ''}{visible(place)}»"


def database_url(url: str) -> str:
    """Read the URL of a PostgreSQL database; nothing is no URL and passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if not url:
        return url
    url = _with_scheme(url, ("postgresql", "postgresql+psycopg"), DATABASE, "Turnout brings its own driver")
    _check_address(url, DATABASE)
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    foreign = sorted({name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)} - known)
    if foreign:
        raise ValueError(
            f"{masked(url)} has {'a parameter' if len(foreign) == 1 else 'parameters'} that PostgreSQL does not know:"
            f" {', '.join(foreign)}; leave out what is meant for another program, such as a pooler or an ORM"
        )
    return url


def broker_url(url: str) -> str:
    """Read the URL of Celery's broker, Redis or RabbitMQ; nothing passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if not url:
        return url
    url = _with_scheme(url, ("redis", "rediss", "amqp", "amqps", "pyamqp"), BROKER, "other brokers are not supported")
    _check_address(url, BROKER)
    return _of_redis(url) if url.startswith("redis") else url


def redis_url(url: str) -> str:
    """Read the URL of the Redis that holds stream and limiter; nothing passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if not url:
        return url
    url = _with_scheme(url, ("redis", "rediss", "unix"), REDIS, "the stream needs Redis or Valkey")
    if url.startswith("unix"):
        if not urlsplit(url).path:
            raise ValueError(f"{masked(url)} names no socket; expected {REDIS}")
        return url
    _check_address(url, REDIS)
    return _of_redis(url)


def http_url(url: str) -> str:
    """Read the address of a web service, without a slash at its end.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    url = _with_scheme(url, ("https", "http"), BASE, "write the whole address")
    _check_address(url, BASE)
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError(f"{masked(url)} has a user or a password in it; expected {BASE}, without them")
    if parts.query or parts.fragment:
        raise ValueError(f"{masked(url)} has more than an address; expected {BASE}, without ? and #")
    return url.rstrip("/")


def proxy_url(url: str) -> str:
    """Read the address of an HTTP proxy; nothing passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if not url:
        return url
    url = _with_scheme(url, ("http", "https"), PROXY, "SOCKS is not supported")
    _check_address(url, PROXY)
    return url


def read_networks(written: str) -> list[IPv4Network | IPv6Network]:
    """Read addresses and networks of proxies, between commas.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    networks = []
    for one in filter(None, map(str.strip, written.split(","))):
        try:
            network = ip_network(one)
        except ValueError:
            network = None
        if network is None or network.prefixlen < WIDEST[network.version]:
            raise ValueError(
                f"«{visible(one)}» is not the address or network of a proxy; expected some between commas, such as"
                " 10.0.0.7, 10.1.0.0/16, 2001:db8::/64; none wider than /8, or /16 of IPv6, or each client could"
                " name its own"
            )
        networks.append(network)
    return networks


def networks(written: str) -> str:
    """Take what `read_networks` reads.

    Raises:
        ValueError: as that does.

    """
    read_networks(written)
    return written


def read_hosts(written: str) -> list[str]:
    """Read names of hosts, between commas, in lower case and without ports.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    names = []
    for one in filter(None, map(str.strip, written.split(","))):
        if not _HOST_NAME.fullmatch(one):
            raise ValueError(
                f"«{visible(one)}» is not the name of a host; expected names or addresses between commas, such as"
                " turnout.example.com, 10.0.0.7, without http:// and without a port"
            )
        names.append(one.strip("[]").lower())
    return names


def hosts(written: str) -> str:
    """Take what `read_hosts` reads.

    Raises:
        ValueError: as that does.

    """
    read_hosts(written)
    return written


def listen_address(written: str) -> str:
    """Read the address that a port listens on.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if not _HOST_NAME.fullmatch(written):
        raise ValueError(
            f"«{visible(written)}» is not an address to listen on; expected one address or name, such as 127.0.0.1,"
            " 0.0.0.0 or ::, without http:// and without a port"
        )
    return written.strip("[]")


def issuer_url(url: str) -> str:
    """Read the address of an OpenID Connect provider; nothing passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if url and not is_private(url := http_url(url)):
        raise ValueError(f"{masked(url)} is not encrypted; expected https://, or http:// on this machine alone")
    return url


def is_private(url: str) -> bool:
    """Say whether what is sent to a URL is read on the way by no other: it is https, or leads to this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def readable_file(path: str) -> str:
    """Read the name of a file that can be read; nothing passes.

    Raises:
        ValueError: says what is not valid, what is expected and what to do.

    """
    if path:
        try:
            Path(path).open("rb").close()
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "no name of a file"
            raise ValueError(f"«{path}» cannot be read ({why}); expected a file of certificates in PEM") from None
    return path


def header_value(token: str) -> str:
    """Read a token that is sent in an HTTP header.

    Raises:
        ValueError: says what is not valid, without the token, and what to do.

    """
    if token.lower().startswith(("bearer ", "authorization:")):
        raise ValueError("begins with the word Bearer or Authorization; expected the token alone")
    found = next((position for position, letter in enumerate(token, 1) if not "!" <= letter <= "~"), None)
    if found is not None:
        raise ValueError(
            f"has a character at place {found} of {len(token)} that no access token has (a space, a line break, or one"
            " beyond ASCII); copy the token again"
        )
    return token


def sentry_dsn(dsn: str) -> str:
    """Read the DSN of a project of Sentry's.

    Raises:
        ValueError: says what is not valid, without the key in it, and what to do.

    """
    if dsn and not _DSN.fullmatch(dsn):
        raise ValueError(
            "is not a DSN; expected https://KEY@HOST/PROJECT, as Sentry shows it in the project's settings"
        )
    return dsn


def _with_scheme(url: str, known: Collection[str], expected: str, why: str) -> str:
    found = _SCHEME.match(url)
    if not found:
        raise ValueError(f"{masked(url)} is not a URL; expected {expected}")
    scheme = found[1].lower()
    scheme = _RENAMED.get(scheme, scheme)
    if scheme not in known:
        raise ValueError(f"{masked(url)} begins with {found[0]}; expected {expected} ({why})")
    return f"{scheme}://{url[found.end() :]}"


def _check_address(url: str, expected: str) -> None:
    """Check what stands between scheme and path: a host, perhaps a port, perhaps a user and a password."""
    address = url[url.index("://") + 3 :]
    user, at, rest = address.rpartition("@")
    if _UNPRINTABLE.search(url):
        raise ValueError(f"{masked(url)} has a blank or a control character in it; expected {expected}; {ENCODING}")
    if _BAD_ESCAPE.search(user) or any(letter in user for letter in "@/#?[]"):
        raise ValueError(f"{masked(url)} has a user or a password that is not encoded; {ENCODING}")
    try:
        parts = urlsplit(f"{url[: url.index('://') + 3]}{rest}")
        hosts: list[str | None] = [parts.hostname]
        ports: list[int | None] = [parts.port]
    except ValueError:
        if not url.startswith("postgresql"):
            raise ValueError(f"{masked(url)} has an address that cannot be read; expected {expected}") from None
        hosts, ports = _several(rest)
    if any(port is not None and not 0 < port <= MOST_PORT for port in ports):
        raise ValueError(f"{masked(url)} has a port that is not a number from 1 to 65535; expected {expected}")
    socket = "host" in dict(parse_qsl(urlsplit(url).query))
    if not all(hosts) and not (url.startswith("postgresql") and (socket or not at)):
        raise ValueError(f"{masked(url)} names no host; expected {expected}")


def _several(rest: str) -> tuple[list[str | None], list[int | None]]:
    """Read the hosts of a URL that names several, as PostgreSQL's may."""
    hosts: list[str | None] = []
    ports: list[int | None] = []
    for one in re.split(r"[/?#]", rest, maxsplit=1)[0].split(","):
        host, _, port = one.rpartition(":") if ":" in one and not one.endswith("]") else (one, "", "")
        hosts.append(host or None)
        ports.append((int(port) if port.isascii() and port.isdecimal() else 0) if port else None)
    return hosts, ports


def _of_redis(url: str) -> str:
    """Check what is Redis' alone: the number of the database, and how TLS is verified, in the form all clients take."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    if path and not (path.isascii() and path.isdecimal()):
        raise ValueError(f"{masked(url)} ends in «{path}», which is not the number of a database; expected {REDIS}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "rediss":
        verified = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
        if verified not in {"required", "optional", "none"}:
            raise ValueError(f"{masked(url)} has an ssl_cert_reqs that is not valid; expected required or none")
        options["ssl_cert_reqs"] = verified
    return urlunsplit(parts._replace(query=urlencode(options, quote_via=quote)))
