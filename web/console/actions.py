"""What each button does: the functions of the commands, and their words."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from models.words import Outcome
from web.console import door, people
from web.console.frame import Action, Done, Limits, Refusal, Visit
from worker import accounts
from worker.cancel import Chosen, cancel
from worker.retry import Filter, retry


def retry_batch(visit: Visit, _: Mapping[str, str]) -> Done:
    """Send a batch's failed records again."""
    number, process = visit.number("batch"), visit.process
    moved = retry(process.engine, process.settings.batch_size, Filter((Outcome.FAILED,), number))
    said = f"{moved:,} records are retried" if moved else "no record is like that: nothing is retried"
    return Done(said, f"/batch/{number}")


def cancel_batch(visit: Visit, _: Mapping[str, str]) -> Done:
    """Take a batch that waits out of the queue."""
    number = visit.number("batch")
    canceled, records = cancel(visit.process.engine, Chosen(number))
    said = f"{records:,} records in {canceled:,} batches are canceled" if canceled else "no batch like that waits"
    return Done(said, f"/batch/{number}")


def pause(visit: Visit, form: Mapping[str, str]) -> Done:
    """Let an account send nothing."""
    name = visit.path("account")
    account_id = accounts.find(visit.process.engine, name)
    if account_id is None:
        raise _unknown(name)
    because = form.get("because", "").strip()[:255].replace("\0", "") or "by an operator"
    accounts.pause(visit.process.engine, account_id, because)
    return Done(f"account {name} is paused", f"/accounts#{quote(name)}")


def resume(visit: Visit, _: Mapping[str, str]) -> Done:
    """Let a paused or parked account send again, beginning with one batch as a probe."""
    name = visit.path("account")
    if not accounts.resume(visit.process.engine, name):
        raise _unknown(name)
    return Done(f"account {name} sends again", f"/accounts#{quote(name)}")


ACTIONS: Final[Mapping[str, Action]] = {
    "/batch/{batch}/retry": retry_batch,
    "/batch/{batch}/cancel": cancel_batch,
    "/accounts/{account}/pause": pause,
    "/accounts/{account}/resume": resume,
    "/refused/{refusal}": door.mend,
    "/erase": people.look,
    "/erasures": people.erase_now,
}
LIMITS: Final[Mapping[str, Limits]] = {
    "/refused/{refusal}": Limits(
        door.LARGEST_MENDED,
        "A larger message is mended in a file: turnout refused --out FILE, then turnout refused retry --from FILE.",
    ),
    "/erasures": Limits(is_slow=True),
}
"""Where they are not those of every form."""


def _unknown(name: str) -> Refusal:
    return Refusal(404, f"There is no account {name[:100]}", "The page of the accounts lists them.")
