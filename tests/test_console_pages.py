"""The console's pages of errors in groups, of one person, of what was refused, and of erasing somebody."""

import json
import re
import threading
from html import unescape
from urllib.parse import quote, unquote

import pytest
from sqlalchemy import Engine, Text, cast, func, insert, select, update

import web.console.pages
from models.tables import Batch, Erasure, Error, ErrorGroup, Record, Refused, Submission
from models.words import Outcome
from tests.support.console import Visitor, words
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, deliver_all, do, given_up, message, outcomes, people, settled, taken
from web.console import fix_table, person as person_page, refusals as refusals_page
from worker.queries import erasures as reads, refusals

ADA = "ada.lovelace@analytical.example.com"
SCRIPT = "<script>alert('x')</script>"


def fill(submit: Submit, engine: Engine) -> None:
    """Ada delivered, rejected, failed, waiting and refused, beside others."""
    submit(message(ADA, *people(3)))
    settled(engine, taken(engine), rejected=[0], unconfirmed=[1])
    submit(message(ADA, *people(2), state="attend"))
    given_up(engine, taken(engine))
    submit(message(ADA, event="webinar"))
    submit({**message(ADA), "account": "acme"}, message("nobody", event="webinar"))


def refused_ids(engine: Engine) -> list[int]:
    return [row.id for row in Ledger(engine).refused(Refused.closed_at.is_(None))]


def following(html: str) -> str | None:
    more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
    return unescape(more[1]) if more else None


def every_page(operator: Visitor, path: str, pattern: str) -> list[str]:
    met: list[str] = []
    here: str | None = path
    while here:
        html = operator.page(here)
        met += re.findall(pattern, html)
        more = following(html)
        here = path.partition("?")[0] + more if more else None
    return met


# Errors by what they have in common


def test_a_group_says_what_failed_why_whose_it_is_and_what_to_press(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    fill(submit, engine)
    do(engine, update(Error).where(Error.outcome == Outcome.REJECTED).values(message="`nobody@x` is not a valid email"))
    html = operator.page("/groups")
    cards = {
        found[1]: found[0] for found in re.findall(r'(<article class="card group (\w+)".*?</article>)', html, re.DOTALL)
    }
    assert set(cards) == {"rejected", "unconfirmed", "failed"}
    said = words(cards["rejected"])
    assert " 1 rejected VALIDATION_ERROR " in said
    assert "HubSpot takes none of these as an e-mail address. who can fix it the producer's app" in said
    assert "`nobody@x` is not a valid email" in said
    assert f"such as record 1 of {ADA}" in said
    assert re.search(
        r"as a command turnout errors --group \w+ --csv fix.csv fix the file, then: turnout correct --from fix.csv",
        said,
    )
    assert " 3 failed GIVEN_UP" in words(cards["failed"])
    assert "last seen" in said
    assert "first seen" in said


@pytest.mark.parametrize(("outcome", "main"), [("rejected", "correct"), ("failed", "act/retry")])
def test_a_groups_main_button_is_what_the_advice_says(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, ledger: Ledger, outcome: str, main: str
) -> None:
    fill(submit, engine)
    do(engine, update(Error).where(Error.outcome == Outcome.REJECTED).values(message="not a valid email"))
    (group,) = ledger.all(ErrorGroup, ErrorGroup.outcome == outcome)
    html = operator.page(f"/groups?outcome={outcome}")
    assert html.count("<article") == 1
    pressed = re.findall(r'class="button( quiet)?" href="([^"]+)"', html)
    assert pressed[0] == ("", f"/{main}?group={group.id}")
    assert {path for quiet, path in pressed[1:] if quiet} | {pressed[0][1]} == {
        f"/{path}?group={group.id}" for path in ("correct", "act/retry", "act/dismiss")
    }
    assert 'class="button' not in viewer.page("/groups")


def test_a_groups_errors_are_listed_one_by_one_page_by_page(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.console.pages, "PAGE", 2)
    monkeypatch.setattr(web.console.pages, "ERRORS", 3)
    submit(message(*people(5)))
    given_up(engine, taken(engine))
    submit(message(*people(5, 10)))
    settled(engine, taken(engine), rejected=range(5))
    (group,) = ledger.all(ErrorGroup, ErrorGroup.outcome == Outcome.FAILED)
    assert f'href="/errors?group={group.id}"' in operator.page("/groups")
    met = every_page(operator, f"/errors?group={group.id}", r'row" class="n">(\d+)<')
    assert met == [str(error.id) for error in reversed(ledger.errors(Error.outcome == Outcome.FAILED))]
    assert f'href="/groups#{group.id}"' in operator.page(f"/errors?group={group.id}")


def test_errors_in_the_navigation_lead_to_the_groups_and_from_there_one_by_one_and_back(operator: Visitor) -> None:
    html = operator.page("/groups?outcome=failed")
    assert '<a href="/groups" aria-current="page">Errors</a>' in html
    assert 'href="/errors?outcome=failed">one by one' in html
    html = operator.page("/errors")
    assert '<a href="/groups" aria-current="page">Errors</a>' in html
    assert '<a href="/groups">by what they have in common</a>' in html


def test_without_errors_the_groups_say_so_and_the_overview_asks_nothing(operator: Visitor) -> None:
    assert "no unresolved errors" in words(operator.page("/groups"))
    assert 'id="why"' not in operator.page("/")


def test_the_overview_says_why_what_it_means_who_can_fix_it_and_what_to_press(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    html = operator.page("/")
    assert html.index('id="why"') < html.index('id="sent"')
    said = words(html)
    assert re.search(r"3 failed HubSpot gave no clear answer.*? HubSpot Retry …", said)
    assert "not accepted 2" in said
    for group in ledger.all(ErrorGroup):
        assert f'href="/groups#{group.id}"' in html
        assert (f"?group={group.id}" in html) is (group.outcome != "unconfirmed")  # which Turnout looks for itself
    assert "?group=" not in viewer.page("/")


def test_the_overview_shows_the_first_five_groups(operator: Visitor, submit: Submit, engine: Engine) -> None:
    submit(message(*people(7)), batch_size=1)
    for _ in range(7):
        settled(engine, taken(engine), rejected=[0])
    groups = [{"id": f"g{error.id}", "outcome": Outcome.REJECTED} for error in Ledger(engine).errors()]
    do(engine, insert(ErrorGroup).values([{**group, "category": "", "code": "", "gist": "x"} for group in groups]))
    do(engine, update(Error).values(group_id="g" + cast(Error.id, Text)))
    assert operator.page("/").count('href="/groups#') == 5
    assert operator.page("/groups").count("<article") == 7


def test_what_is_looked_for_although_its_outcome_stands_can_be_retried_at_once(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    do(engine, update(Error).values(verify_at=func.now()))
    html = operator.page("/")
    for group in ledger.all(ErrorGroup):
        assert (f"?group={group.id}" in html) is (group.outcome != "unconfirmed")
    said = words(operator.page(f"/person/{quote(ADA)}"))
    assert said.count("An earlier call may have delivered it: it is looked for in HubSpot at") == 2  # rejected, failed
    assert said.count("as a command turnout") == 2


# A person


def test_a_persons_page_shows_every_record_attempt_and_error_and_what_happens_next(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    fill(submit, engine)
    html = operator.page("/person/Ada.Lovelace%40Analytical.example.com")
    cards = [words(one) for one in re.findall(r'<section class="card record".*?</section>', html, re.DOTALL)]
    assert [re.match(r" (\w+) (\S+) (\w+)", card)[0] for card in cards] == [  # type: ignore[index]
        " register webinar pending",
        " attend 77 failed",
        " register 77 rejected",
    ]
    assert "waits for its turn" in cards[0] or "due at" in cards[0]
    assert "never sent yet" in cards[0]
    assert "it may have arrived, and sending it again stores nothing twice." in cards[1]
    assert "who can fix it HubSpot" in cards[1]
    assert "as a command turnout retry --record" in cards[1]
    assert "GIVEN_UP" in cards[1]
    assert re.search(r"Z post of 4 1 settled HTTP 200 5 ms .*Z rejected 1 VALIDATION_ERROR: no open", cards[2])
    assert f'"email": "{ADA}"' in cards[2]
    first = Ledger(engine).attempts()[0]
    assert f'href="/batch/{first.batch_id}#attempt-' in html
    assert "p0@example.com" not in html


def test_a_person_by_the_contact_id_that_hubspot_told_is_named_and_linked(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message(ADA))
    settled(engine, taken(engine))
    html = operator.page(f"/person/{ADA}")
    assert "HubSpot's contact id: 1000" in words(html)
    assert 'href="/person/1000"' in html


def test_a_persons_page_goes_on_where_the_last_ended_without_the_address_in_the_link(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_page, "PAGE", 2)
    submit(*(message(ADA, event=str(number)) for number in range(5)))
    met: list[str] = []
    path: str | None = f"/person/{ADA}"
    while path:
        html = operator.page(path)
        met += re.findall(r'id="record-(\d+)"', html)
        more = following(html)
        assert "@" not in unquote(more or "")
        path = f"/person/{ADA}{more}" if more else None
    assert met == [str(record.id) for record in reversed(Ledger(engine).records())]


def test_nobody_is_said_to_be_nobody(operator: Visitor) -> None:
    said = words(operator.page("/person/nobody%40example.com"))
    assert "No record of nobody@example.com is known. What was not accepted stands under not accepted" in said
    assert [
        operator.get(path).status_code for path in ("/person/a%00b", "/refused?account=%00", "/find?what=%00@")
    ] == [200] * 3


@pytest.mark.parametrize("odd", ["o'hara/x+y@example.com", "100%25@example.com", "müller&söhne@example.com"])
def test_an_odd_address_is_linked_to_its_own_page(operator: Visitor, submit: Submit, engine: Engine, odd: str) -> None:
    submit(message("a@example.com"))
    do(engine, update(Record).values(contact=odd))
    given_up(engine, taken(engine))
    link = re.search(r'href="(/person/[^"]+)"', operator.page("/errors"))
    assert link
    assert f"<h1>{odd}</h1>" in unescape(operator.page(unescape(link[1])))
    assert 'id="record-1"' in operator.page(unescape(link[1]))


def test_find_leads_to_a_person_by_address_and_by_contact_id_where_no_batch_has_that_number(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    one = {"vid": 987654, "interactionDateTime": 1_767_225_600_000, "properties": {}}
    submit({"subscriber_state": "register", "object_id": "77", "inputs": [one]})
    assert operator.get(f"/find?what=%20{ADA}").url == f"{operator.url}/person/ada.lovelace%40analytical.example.com"
    assert operator.get("/find?what=987654").url == f"{operator.url}/person/987654"
    assert operator.get("/find?what=987655").url.endswith("/events?event=987655")
    do(engine, update(Record).values(contact=cast(select(func.min(Batch.id)).scalar_subquery(), Text)))
    number = ledger.batches()[0].id
    assert operator.get(f"/find?what={number}").url.endswith(f"/batch/{number}")


def test_contacts_are_linked_to_their_pages_for_operators_and_never_for_viewers(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    submission = ledger.all(Submission)[0].submission
    batch = ledger.batches()[0].id
    for path in ("/errors", f"/batch/{batch}", f"/submission/{submission}", "/groups"):
        assert 'href="/person/ada.lovelace%40analytical.example.com"' in operator.page(path), path
        assert "/person/" not in viewer.page(path), path
    do(engine, update(Record).values(contact="erased " + cast(Record.id, Text)))
    assert "/person/" not in operator.page("/errors")


# What was not accepted


def test_what_was_refused_is_listed_with_its_reason_account_and_submission(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    fill(submit, engine)
    unknown, broken = refused_ids(engine)
    html = operator.page("/refused")
    said = words(html)
    assert said.index("is unknown") > said.index("inputs[0].email")
    assert "expected: an account that" in said
    for number in (unknown, broken):
        assert f'href="/refused/{number}"' in html
    assert f'href="/refused/{unknown}"' in operator.page("/refused?account=acme")
    assert f'href="/refused/{broken}"' not in operator.page("/refused?account=acme")
    (row,) = Ledger(engine).refused(Refused.id == broken)
    (mine,) = Ledger(engine).all(Submission, Submission.id == row.submission_id)
    html = operator.page(f"/refused?submission={mine.submission}")
    assert (f'href="/refused/{broken}"' in html, f'href="/refused/{unknown}"' in html) == (True, False)
    assert f'href="/refused/{broken}"' in operator.page(f"/submission/{mine.submission}")
    assert operator.get("/refused?submission=x").status_code == 400


def test_everything_that_matches_is_handed_in_again_by_the_same_filter_by_operators(
    operator: Visitor, viewer: Visitor, submit: Submit
) -> None:
    submit({**message("a@example.com"), "account": "acme & co"})
    assert 'href="/act/replay?account=acme+%26+co"' in operator.page("/refused?account=acme %26 co")
    assert 'href="/act/replay?"' in operator.page("/refused")
    assert "/act/" not in viewer.page("/refused")


@pytest.mark.parametrize("bound", ["page", "walk", "bytes", "step"])
@pytest.mark.parametrize("query", ["", "?account=default"])
def test_refusals_go_on_where_the_last_page_ended(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch, bound: str, query: str
) -> None:
    for module, name, value in {
        "page": [(refusals_page, "PAGE", 3)],
        "walk": [(refusals, "WALK", 2)],
        "bytes": [(refusals, "BYTES", 300)],
        "step": [(refusals, "AT_ONCE", 2)],
    }[bound]:
        monkeypatch.setattr(module, name, value)
    submit(message(*(f"nobody {number}" for number in range(7))))
    submit({**message("a@example.com"), "account": "acme"})
    expected = [str(number) for number in reversed(refused_ids(engine)[: 7 if query else 8])]
    assert every_page(operator, f"/refused{query}", r'class="open" href="/refused/(\d+)"') == expected


def test_a_refusal_shows_all_its_reasons_and_to_operators_its_message_to_be_mended(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message("nobödy", when=1_767_225_600))
    (number,) = refused_ids(engine)
    html = operator.page(f"/refused/{number}")
    assert html.count('aria-invalid="true"') == 2
    assert "nobödy is no e-mail address" in words(html)
    raw = operator.page(f"/refused/{number}?raw=1")
    shown = json.loads(written_in(raw))
    assert shown["inputs"][0]["email"] == "nobödy"
    assert '<label for="message">' in raw
    seen = viewer.page(f"/refused/{number}")
    assert "inputs[0].email" in words(seen)
    assert "subscriber_state" not in seen


def written_in(html: str) -> str:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", html, re.DOTALL)
    assert found
    return unescape(found[1])


def test_what_is_mended_is_handed_in_again_and_said_what_became_of_it(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message("nobody"))
    (number,) = refused_ids(engine)
    path = f"/refused/{number}"
    mended = written_in(operator.page(f"{path}?raw=1")).replace('"nobody"', f'"{ADA}"').replace("\n", "\r\n")
    answer = operator.press(path, path, message=mended)
    assert "/submission/" in answer.url
    assert f"message {number} is submitted again: accepted 1, duplicates 0, not accepted 0" in words(answer.text)
    assert outcomes(engine) == {"pending": 1}
    assert refused_ids(engine) == []
    (act,) = Ledger(engine).actions()
    assert (act.who, act.via, act.what) == ("the operator", "console", "replay")
    assert (act.filter, act.number) == ({"ids": [number]}, 1)
    assert operator.get(path).status_code == 404
    again = operator.press(path, "/erase", message=mended)
    assert (again.status_code, ": submitted again." in words(again.text)) == (404, True)
    assert deliver_all(engine) == 1


def test_what_is_known_already_is_said_to_be_a_duplicate(operator: Visitor, submit: Submit, engine: Engine) -> None:
    submit(message(ADA), message("nobody"))
    (number,) = refused_ids(engine)
    mended = written_in(operator.page(f"/refused/{number}?raw=1")).replace("nobody", ADA)
    answer = operator.press(f"/refused/{number}", f"/refused/{number}", message=mended)
    assert "accepted 0, duplicates 1, not accepted 0" in words(answer.text)


@pytest.mark.parametrize("typed", ['{"half', f"{SCRIPT}", "", '\n\n{"subscriber_state": "nonsense"}'])
def test_what_is_still_refused_says_why_and_keeps_what_was_written(
    operator: Visitor, submit: Submit, engine: Engine, typed: str
) -> None:
    submit(message("nobody"))
    (number,) = refused_ids(engine)
    before = [(row.raw, row.reasons, row.closed_at) for row in Ledger(engine).refused()]
    answer = operator.press(f"/refused/{number}", f"/refused/{number}", message=typed)
    assert [one.status_code for one in answer.history] == [303]  # a refresh repeats nothing
    assert (answer.status_code, answer.url) == (200, f"{operator.url}/refused/{number}")
    assert "It is still not accepted" in words(answer.text)
    assert written_in(answer.text) == typed
    assert SCRIPT not in answer.text
    assert [(row.raw, row.reasons, row.closed_at) for row in Ledger(engine).refused()] == before
    assert '"nobody"' in written_in(operator.page(f"/refused/{number}?original=1&raw=1"))


def test_what_is_no_json_is_mended_as_the_text_that_it_is(operator: Visitor, submit: Submit, engine: Engine) -> None:
    submit(b"\xff no json </textarea>" + SCRIPT.encode())
    (number,) = refused_ids(engine)
    html = operator.page(f"/refused/{number}")
    assert written_in(html) == f"\ufffd no json </textarea>{SCRIPT}"
    answer = operator.press(f"/refused/{number}", f"/refused/{number}", message=json.dumps(message(ADA)))
    assert "accepted 1" in words(answer.text)


@pytest.mark.parametrize("odd", [b'{"x": "\\ud800"}', b'{"x": 1e999, "y": 123456789012345678901234567890}'])
def test_odd_messages_have_a_page(operator: Visitor, submit: Submit, engine: Engine, odd: bytes) -> None:
    submit(odd)
    assert "y" in operator.page(f"/refused/{refused_ids(engine)[0]}")


def test_a_large_message_is_mended_here_and_one_too_large_names_the_command(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit({**message(*people(1_000)), "account": "acme"}, {**message(*people(9_000)), "account": "acme"})
    fits, too_large = refused_ids(engine)
    html = operator.page(f"/refused/{fits}")
    mended = written_in(html).replace('"acme"', '"default"')
    assert len(mended) > 100_000
    answer = operator.press(f"/refused/{fits}", f"/refused/{fits}", message=mended)
    assert "accepted 1,000" in words(answer.text)
    html = operator.page(f"/refused/{too_large}")
    assert "<textarea" not in html
    assert "turnout refused --submission" in words(html)
    answer = operator.press(f"/refused/{too_large}", "/erase", message="x" * fix_table.LARGEST)
    assert (answer.status_code, "turnout refused --out FILE" in words(answer.text)) == (413, True)


@pytest.mark.parametrize("path", ["/refused/4711", "/refused/x", "/refused/99999999999999999999"])
def test_a_refusal_that_is_not_there_is_said_in_plain_words(operator: Visitor, path: str) -> None:
    answer = operator.get(path)
    assert (answer.status_code, "There is no" in words(answer.text)) == (404, True)


# Erasing


def test_a_person_is_erased_after_a_second_look_and_the_receipt_names_nobody(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    person = operator.page(f"/person/{ADA}")
    assert f'<input type="hidden" name="contact" value="{ADA}">' in person
    assert 'action="/erase"' in person
    looked = operator.press("/erase", "/erase", contact=f" {ADA.upper()} ")
    assert f"Erase {ADA}? Records of this person here: 3 ." in words(looked.text)
    assert ledger.records(Record.contact == ADA)
    done = operator.press("/erasures", "/erase", contact=ADA)
    assert done.status_code == 200
    assert re.fullmatch(rf"{operator.url}/erasures/1\?told=[\w=-]+", str(done.url))
    assert ADA not in str(looked.url) + str(done.url)
    assert "The person is erased" in words(done.text)
    refreshed = operator.get(str(done.url).removeprefix(operator.url))  # erases nothing more
    assert words(refreshed.text) == words(done.text)
    assert "erasure 2" not in words(operator.page("/erasures"))
    assert re.search(r"records 3 ", words(done.text))
    assert "lovelace" not in done.text
    assert [cookie.name for cookie in operator.http.cookies if "said" in cookie.name] == []
    assert ledger.records(Record.contact == ADA) == []
    assert "No record of" in words(operator.page(f"/person/{ADA}"))
    receipts = operator.page("/erasures")
    assert "3 of records" in words(receipts)
    assert "lovelace" not in receipts
    (act,) = ledger.actions()
    assert (act.who, act.via, act.what, act.filter, act.number) == ("the operator", "console", "erase", {}, 3)
    again = operator.press("/erasures", "/erase", contact=ADA)
    assert "Nothing of this person was kept" in words(again.text)


def test_another_name_of_an_erased_person_is_erased_only_when_asked_for(
    operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message(ADA))
    settled(engine, taken(engine))
    done = operator.press("/erasures", "/erase", contact=ADA)
    assert "Erase 1000 too …" in words(done.text)
    assert '<input type="hidden" name="contact" value="1000">' in done.text


def test_what_is_being_sent_is_left_and_said(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_page, "PATIENCE", -1_000.0)
    submit(message(ADA))
    claimed = taken(engine)
    done = operator.press("/erasures", "/erase", contact=ADA)
    said = words(done.text)
    assert "not complete" in said
    assert f"batch {claimed.batch_id} holds a record of theirs and is being sent: erase again in a moment" in said
    assert "no: something was left for another time" in words(operator.page("/erasures"))


def test_erasing_which_may_take_long_keeps_no_page_waiting(operator: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(*_: object) -> None:
        begun.release()
        go_on.wait(30)
        raise AssertionError

    monkeypatch.setattr(person_page, "remove", slow)
    token = operator.token("/erase")
    pressed = [
        threading.Thread(target=operator.post, args=("/erasures", {"form": token, "contact": ADA})) for _ in range(4)
    ]
    for one in pressed:
        one.start()
    try:
        assert begun.acquire(timeout=10)
        assert "Erase a person" in operator.page("/erase")
    finally:
        go_on.set()
        for one in pressed:
            one.join()


@pytest.mark.parametrize("who", ["", "nobody", "0", SCRIPT, "a b@example.com", "a\0@"])
def test_who_is_neither_an_address_nor_an_id_is_asked_for_again(operator: Visitor, ledger: Ledger, who: str) -> None:
    looked = operator.press("/erase", "/erase", contact=who)
    assert (looked.status_code, "neither an e-mail address nor a contact id" in words(looked.text)) == (400, True)
    assert SCRIPT not in looked.text
    assert operator.press("/erasures", "/erase", contact=who).status_code == 400
    assert ledger.all(Erasure) == []


def test_a_persons_records_are_counted_no_further_than_is_said(
    operator: Visitor, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "COUNTED", 2)
    submit(*(message(ADA, event=str(number)) for number in range(4)))
    assert "here: more than 2 ." in words(operator.press("/erase", "/erase", contact=ADA).text)


# Who may what, and who sees what


def test_viewers_see_no_address_not_even_the_one_they_typed(viewer: Visitor, submit: Submit, engine: Engine) -> None:
    fill(submit, engine)
    typed = [f"/refused?account={ADA}", f"/errors?group={ADA}", f"/events?event={ADA}"]
    refusals_ = [f"/refused/{number}" for number in refused_ids(engine)]
    for path in ["/", "/groups", "/refused", "/erasures", *refusals_, *typed]:
        html = viewer.page(path)
        assert "lovelace" not in html, path
        assert "analytical" not in html, path
        assert re.findall(r'method="post" action="([^"]+)"', html) == ["/sign-out"], path


@pytest.mark.parametrize("address", [ADA, "nobody@example.com", "ada.lovelace (at) analytical.example.com"])
def test_a_viewer_looks_nobody_up_so_that_no_answer_says_whether_somebody_is_there(
    viewer: Visitor, submit: Submit, engine: Engine, address: str
) -> None:
    fill(submit, engine)
    said = set()
    for path in (f"/person/{quote(address)}", f"/person/{quote(address)}?before=2", f"/find?what={quote(address)}"):
        answer = viewer.get(path)
        said.add((answer.status_code, words(answer.text), len(answer.history)))
    ((status, text, redirects),) = said
    assert (status, redirects, "Only operators look people up" in text) == (403, 0, True)
    assert viewer.get("/person/1000").status_code == 200, "HubSpot's contact id names nobody"


def test_a_viewer_erases_nobody_and_hands_nothing_in(
    viewer: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    number = refused_ids(engine)[0]
    assert viewer.get("/erase").status_code == 403
    for path, fields in (
        ("/erase", {"contact": ADA}),
        ("/erasures", {"contact": ADA}),
        (f"/refused/{number}", {"message": json.dumps(message("a@example.com"))}),
    ):
        answer = viewer.press(path, "/", **fields)
        assert (answer.status_code, "Only operators" in words(answer.text)) == (403, True)
        assert "lovelace" not in answer.text
    assert ledger.all(Erasure) == []
    assert number in refused_ids(engine)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_form_of_another_page_erases_nobody_and_hands_nothing_in(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger, *, elsewhere: bool
) -> None:
    fill(submit, engine)
    number = refused_ids(engine)[0]
    fields = {"contact": ADA, "message": json.dumps(message("a@example.com"))}
    headers = {"Origin": "https://evil.example"} if elsewhere else {}
    fields |= {"form": operator.token("/erase")} if elsewhere else {"form": "0" * 64}
    for path in ("/erase", "/erasures", f"/refused/{number}"):
        assert operator.post(path, fields, headers=headers).status_code == 403
    assert ledger.all(Erasure) == []
    assert number in refused_ids(engine)


def test_what_others_wrote_is_escaped(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    for change in (
        "UPDATE errors SET message = :it, category = :it, code = :it, resolved_because = :it",
        "UPDATE error_groups SET category = :it, code = :it",
        "UPDATE records SET contact = :it || id, input = jsonb_build_object('email', CAST(:it AS text))",
        "UPDATE attempts SET answer = :it",
        "UPDATE events SET object_id = :it || id",
        "UPDATE submissions SET producer = :it",
        "UPDATE refused SET raw = convert_to(CAST(jsonb_build_object('account', CAST(:it AS text)) AS text), 'UTF8')",
        "UPDATE refused SET reasons = jsonb_build_array(jsonb_object(ARRAY['where', :it, 'what', :it, 'right', :it]))",
        "UPDATE batches SET postponed_because = :it",
    ):
        do(engine, change, it=SCRIPT)
    record = ledger.records()[0].contact
    person = f"/person/{record.replace('/', '%2F')}"
    for path in ["/", "/groups", person, "/refused", *(f"/refused/{number}" for number in refused_ids(engine))]:
        for visitor in (operator, viewer) if path != person else (operator,):
            html = visitor.page(path)
            assert SCRIPT not in html, path
            assert "&lt;script&gt;" in html or path == "/" or visitor is viewer, path
    assert SCRIPT not in operator.get(f"/refused?account={SCRIPT}&submission={SCRIPT}").text


def test_every_table_has_headings_and_every_field_a_label(operator: Visitor, submit: Submit, engine: Engine) -> None:
    fill(submit, engine)
    sent = operator.press("/erasures", "/erase", contact="p0@example.com").text
    paths = ["/", "/groups", "/errors", f"/person/{ADA}", "/refused", f"/refused/{refused_ids(engine)[0]}",
             "/erase", "/erasures"]  # fmt: skip
    pages = [sent, *map(operator.page, paths)]
    assert len(re.findall("<table", "".join(pages))) >= 6
    assert len(re.findall("<input", "".join(pages))) >= 6
    for html in pages:
        for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
            heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', table)
            assert len(heads) == len(re.findall("<t[hd]", table.partition("<tbody>")[2].partition("</tr>")[0]))
        for field in re.findall(r"<(?:input|textarea|select)[^>]*>", html):
            if 'type="hidden"' not in field and "aria-label=" not in field:
                named = re.search(r' id="([^"]+)"', field)
                before = html[: html.index(field)]
                assert (
                    (named and f'<label for="{named[1]}"' in html)
                    or before.rfind("<label") > before.rfind("</label>")
                    or f'for="{named and named[1]}"' in html
                ), field
