"""Values that a request carries in its path and its query, decoded strictly: what is not UTF-8 is no value at all."""

from typing import Final
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from models.input_check import shown
from web.hubspot_format import Fault, invalid

MOST: Final = 100
"""Parameters of a query that are read, at most."""


def path_value(request: Request, name: str) -> str:
    """Read a value of the path, which comes here as it was sent (`web.app.Encoded`).

    Raises:
        Fault: 400 where it is not UTF-8.

    """
    try:
        return unquote(request.path_params[name], errors="strict")
    except UnicodeDecodeError:
        raise _no_utf8(name) from None


def query_values(request: Request) -> dict[str, str]:
    """Read the parameters of the query.

    Raises:
        Fault: 400 where they are not UTF-8, too many, or one stands twice.

    """
    query = request.scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except UnicodeDecodeError:
        raise _no_utf8("The query") from None
    except ValueError:
        raise invalid(f"The query holds more than {MOST} parameters.") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name, _ in pairs if [one for one, _ in pairs].count(name) > 1)
        raise invalid(f"The query parameter '{shown(twice)}' stands more than once: expected once.")
    return values


def _no_utf8(what: str) -> Fault:
    return invalid(f"{what} is not UTF-8, percent-encoded: expected, for example, %C3%A9 for é.")
