"""Correcting: one record, a group, or the failed ones out as CSV and the corrected file back in."""

from collections.abc import Mapping
from io import StringIO
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from models.correction import Change
from models.input_check import Reason
from models.job_params import NO_PARAMS, JobParams
from models.words import Action
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.bulk import CHANGED, at_once, mistyped, told, typed_in
from web.console.selection import DEFAULTS, errors
from worker.operations import correct, correction_csv, jobs, preview, tally
from worker.operations.correction_input import ONE_PERSONS, read_change
from worker.operations.duration import lasts
from worker.queries.error_filter import OPEN, Filter

FIELDS: Final = ("email", "vid", "when", "event", "set")
LARGEST_FILE: Final = 8 * 1024 * 1024
MOST_WRONG: Final = 100


def correction(visit: ConsoleRequest) -> Page:
    """Ask what is to be changed, of one record or of a group; show what that comes to."""
    visit.must_operate()
    asked = visit.request.query_params
    wanted = _which(asked)
    fields = {name: asked.get(name, "").replace("\0", "") for name in FIELDS}
    change = _change(fields, asked)
    params = JobParams(change=change) if isinstance(change, Change) and change else NO_PARAMS
    found = preview.look(visit.process, Action.CORRECT, wanted, params)
    looked = []
    if isinstance(change, Change) and change and (records := wanted.record_ids):
        looked = correct.look(visit.process.engine, visit.process.rules, dict.fromkeys(records, change))
    problem = str(change) if isinstance(change, Reason) else _nothing(asked, change)
    return Page(
        "correct.html",
        {
            "what": told(visit, wanted),
            "which": "group" if asked.get("group") else "record",
            "named": asked.get("group") or asked.get("record"),
            "fields": fields,
            "found": found,
            "lasts": None if found.seconds is None else lasts(found.seconds),
            "problem": problem or (CHANGED if "changed" in asked else mistyped(asked.get("typed"))),
            "was": _was(visit, wanted),
            "is_changed": params.change is not None,
            "looked": looked,
            "fit": sum(not one.reasons for one in looked) if looked else found.will,
            "chosen": _written(asked),
        },
        400 if isinstance(change, Reason) else 200,
    )


def _written(asked: QueryParams) -> str:
    """Write which records and what changes, as a URL carries it."""
    return str(QueryParams({name: asked[name] for name in ("group", "record", *FIELDS) if asked.get(name)}))


def mend(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Ask for the corrections that the page showed."""
    asked = QueryParams(form.get("chosen", ""))
    wanted = _which(asked)
    change = _change({name: asked.get(name, "").replace("\0", "") for name in FIELDS}, asked)
    if isinstance(change, Reason) or not change:
        raise PageError(
            400, "Nothing is changed", str(change) if isinstance(change, Reason) else "Say what is to be changed."
        )
    process, seal = visit.process, form.get("seal", "")
    params, typed = JobParams(change=change), typed_in(form)
    done = preview.confirm(process, visit.by, Action.CORRECT, wanted, seal, params=params, typed=typed)
    if isinstance(done, int):
        if wanted.record_ids:
            at_once(visit, done)
        return Redirect("", f"/job/{done}")
    why = ("typed", form.get("typed", "")) if done.seal == seal else ("changed", "1")
    return Redirect("", f"/correct?{QueryParams([*QueryParams(_written(asked)).multi_items(), why])}")


def _nothing(asked: QueryParams, change: Change) -> str:
    """Say that nothing was filled in, where somebody asked to see what changes."""
    return "" if change or "email" not in asked else "Nothing is changed: fill in what is wrong."


def _was(visit: ConsoleRequest, wanted: Filter) -> dict[str, str]:
    """Give the fields of the one record that is corrected, as they are."""
    record_ids = wanted.record_ids or []
    if len(record_ids) != 1:
        return {}
    with visit.process.engine.connect() as connection:
        olds = correct.old_records(connection, record_ids)
    return correction_csv.cells(olds[0]) if olds else {}


def _which(asked: QueryParams) -> Filter:
    if not (asked.get("group") or asked.get("record")):
        raise PageError(400, "Correct which?", "Name a group or a record: their pages lead here.")
    named = QueryParams({name: asked[name] for name in ("group", "record") if asked.get(name)})
    return errors(named, DEFAULTS[Action.CORRECT])


def _change(fields: Mapping[str, str], asked: QueryParams) -> Change | Reason:
    if asked.get("group") and (fields["email"].strip() or fields["vid"].strip()):
        return ONE_PERSONS
    given = {name: fields[name].strip() or None for name in ("email", "vid", "when", "event")}
    return read_change(**given, properties=[line for line in fields["set"].splitlines() if line.strip()])


def out(visit: ConsoleRequest) -> Response:
    """Give the chosen errors' records as CSV, to be fixed."""
    visit.must_operate()
    wanted = errors(visit.request.query_params, OPEN)
    rows = (line.encode() for line in correction_csv.taken_out(visit.process.engine, visit.by, wanted))
    named = {"Content-Disposition": 'attachment; filename="fix.csv"'}
    return StreamingResponse(rows, media_type="text/csv", headers=named)


def take(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Take a corrected file: its changes are a job that waits until it is confirmed."""
    process = visit.process
    wrong: list[Reason] = []

    def mended() -> Any:  # noqa: ANN401 - an iterator
        for row in correction_csv.read(process.engine, StringIO(form.get("file", ""), newline="")):
            if not isinstance(row, Reason):
                yield row.line, row.record_id, row.change
            elif len(wrong) < MOST_WRONG:
                wrong.append(row)

    try:
        job_id = jobs.ask_to_mend(process.engine, visit.by, mended(), on_hold=wrong)
    except ValueError as error:
        raise PageError(400, "This file cannot be used", f"{error}. Nothing was changed.") from None
    jobs.hold(process.engine, job_id, tally.of_job(process.engine, process.rules, job_id))
    return Redirect("", f"/job/{job_id}")
