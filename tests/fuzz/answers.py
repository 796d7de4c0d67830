"""HubSpot's answers: every record that was sent gets one answer, and what is kept of it can be stored."""

import orjson
from pydantic import SecretStr

from hubspot_api import oauth
from hubspot_api.answer import RefusedWhole, Settled, correlation_id, excerpt, read_answer
from hubspot_api.participations import read_page
from hubspot_api.reaction import Bounds, Tried, decide
from hubspot_api.response import Response
from models.error_signature import gist
from models.input_check import unsafe_character
from models.words import Identity
from web.masking import masked

GRANT = oauth.Grant("client", SecretStr("a-client-secret"), SecretStr("a-refresh-token"))
CONTACTS = ("ada@example.com", "bo@example.com", "4711")
STATUSES = (
    200,
    201,
    204,
    207,
    400,
    401,
    403,
    404,
    408,
    409,
    413,
    415,
    422,
    423,
    429,
    477,
    500,
    502,
    503,
    504,
    522,
    302,
)


def judge(data: bytes) -> None:
    """Read an answer: its first byte chooses the status, a line the headers, and the rest is the body."""
    status = STATUSES[data[0] % len(STATUSES)] if data else 200
    head, _, body = data[1:].partition(b"\n")
    after, _, date = head.decode("latin-1").partition("|")
    response = Response(status, {"Retry-After": after, "Date": date, "X-HubSpot-Correlation-Id": after}, body, 0.1)
    for identity in Identity:
        answer = read_answer(response, identity, CONTACTS)
        match answer:
            case Settled(delivered, rejected, unconfirmed):
                named = [*delivered, *rejected, *unconfirmed]
                assert sorted(named) == [0, 1, 2], named
                rejections = [*rejected.values(), *unconfirmed.values()]
            case RefusedWhole(rejection, named_whole):
                assert named_whole <= {0, 1, 2}
                rejections = [rejection]
            case _:
                rejections = []
        for one in rejections:
            for text in (one.category, one.code, one.message):
                assert not unsafe_character(text)
            assert b"\\u0000" not in orjson.dumps(dict(one.context))
            masked(one.message)
            gist(one.message)
        decide(answer, Tried(0, 0.0, 1, len(CONTACTS)), Bounds(8, 100.0), 0.5)
    assert not unsafe_character(excerpt(response))
    assert not unsafe_character(correlation_id(response))
    read_page(response)
    match oauth.read(response, GRANT):
        case oauth.Denied(because) | oauth.NotNow(because, _):
            assert not any(
                secret.get_secret_value() in because for secret in (GRANT.client_secret, GRANT.refresh_token)
            )
        case oauth.Granted(token, _, _):
            assert oauth.is_token(token.get_secret_value())
