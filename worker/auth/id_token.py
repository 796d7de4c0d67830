"""An ID token: whether it is the provider's, for Turnout and for this sign-in, and still good; whose, and which role.

joserfc checks the signature and the registered claims; here stand what it is asked for, and what OpenID Connect adds.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hubspot_api.fields import objects, read_object
from models.words import Role
from worker.log import get_logger
from worker.settings import Settings

if TYPE_CHECKING:
    from joserfc.jwk import Key

log = get_logger(__name__)

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that are taken: those that only the provider can make; not `none`, nor those of a shared secret."""
SHORTEST_MODULUS: Final = 342
"""Letters of an RSA key's modulus, which has 2,048 bits at least."""
SKEW: Final = 60
"""Seconds by which the provider's clock may differ from ours."""
LONGEST_SUBJECT: Final = 255
"""Letters, as the standard has it."""
LONGEST_NAME: Final = 100


class UnknownKey(Exception):  # noqa: N818 - it is a state of the world
    """A token is signed with a key that is not among the known ones."""


def checked(token: str, known: "Sequence[Key]", issuer: str, client: str, nonce: str) -> Mapping[str, Any] | str:
    """Check an ID token; give its claims, or what is wrong with it.

    Raises:
        UnknownKey: where it is signed with another key than these.

    """
    from joserfc import jws, jwt  # most installations know no provider
    from joserfc.errors import ClaimError, ExpiredTokenError, MissingClaimError

    wanted = jwt.JWTClaimsRegistry(
        leeway=SKEW,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    )
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        claims = jwt.decode(token, lambda one: _chosen(known, one.headers()), registry=registry).claims
        wanted.validate(claims)
    except ExpiredTokenError:
        return "it has expired; is the clock of this machine right?"
    except MissingClaimError as error:
        return f"it lacks {error.claim}"
    except ClaimError as error:
        return f"its {error.claim} is not right"
    except UnknownKey:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the library makes of what others wrote, it is no good token
        return f"its signature is not good ({type(error).__name__})"
    return _wrong(claims, client, nonce) or claims


def _wrong(claims: Mapping[str, Any], client: str, nonce: str) -> str:
    """Say what OpenID Connect does not allow of claims whose issuer, audience and times are right."""
    party = claims.get("azp")
    if party != client and (party is not None or (isinstance(claims["aud"], list) and len(claims["aud"]) > 1)):
        return "it was made for another client (azp)"
    if not is_same(str(claims["nonce"]), nonce):
        return "its nonce is another sign-in's"
    if not claims["sub"].isprintable() or len(claims["sub"]) > LONGEST_SUBJECT:
        return "its sub is not right"
    return ""


def read_keys(body: bytes) -> "Iterator[Key]":
    """Give the public keys of a JWK set that ID tokens may be signed with; what is none of these is left out."""
    from joserfc import jwk

    for one in objects(read_object(body) or {}, "keys"):
        if one.get("kty") not in {"RSA", "EC"} or one.get("use", "sig") != "sig":
            continue
        if one["kty"] == "RSA" and len(text_of(one, "n")) < SHORTEST_MODULUS:
            log.warning("provider's key left out", because="an RSA key of less than 2,048 bits")
            continue
        try:
            yield jwk.import_key(one)  # type: ignore[arg-type] # it is checked there
        except Exception:  # noqa: BLE001 - whatever the library makes of what others wrote, it is no key
            log.warning("provider's key left out", because="it cannot be read")


def _chosen(known: "Sequence[Key]", header: Mapping[str, object]) -> "Key":
    """Give the key that a token's header names; one that names none is only good where there is one of its kind."""
    kid, kind = header.get("kid"), "EC" if str(header["alg"]).startswith("ES") else "RSA"
    named = [key for key in known if key.key_type == kind and kid in {None, key.kid}]
    if not named or (kid is None and len(named) > 1):
        raise UnknownKey
    return named[0]


def name_of(claims: Mapping[str, Any]) -> str:
    """Give how the audit log names somebody: a name, which its owner may have chosen, and the subject in brackets."""
    names = (_cleaned(claims.get(name)) for name in ("name", "preferred_username"))
    name = next(filter(None, names), "")
    return f"{name} ({claims['sub']})" if name else str(claims["sub"])


def _cleaned(name: object) -> str:
    """Write a name without brackets: those behind it hold the subject alone."""
    written = shown(name) if isinstance(name, str) else ""
    return written.replace("(", "").replace(")", "")[:LONGEST_NAME].strip()


def role_of(claims: Mapping[str, object], settings: Settings) -> Role | None:
    """Give the role that the claims make; operators first. An e-mail address counts once it is verified."""
    claim = settings.oidc_role_claim
    if claim == "email" and claims.get("email_verified") is not True:
        return None
    has = {one for one in _values(claims, claim) if one}
    for role, wanted in ((Role.OPERATOR, settings.oidc_operators), (Role.VIEWER, settings.oidc_viewers)):
        if has & {each.strip() for each in wanted.split(",")}:
            return role
    return None


def _values(claims: Mapping[str, object], claim: str) -> list[str]:
    """Give a claim's texts: the claim of that whole name, or where its dots lead."""
    found: object = claims
    for step in [claim] if claim in claims else claim.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str)]


def is_same(given: str, wanted: str) -> bool:
    """Compare what others sent with what must not be guessed."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def text_of(fields: Mapping[str, object], name: str) -> str:
    """Give a field that is text; empty where it is none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def shown(said: str) -> str:
    """Write what others said, as one bounded line."""
    return "".join(letter if letter.isprintable() else " " for letter in said)[:200].strip()
