from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings, strategies as st

from worker.files.columns.header import Columns
from worker.files.not_people import LeftOut
from worker.files.options import Options, SharedAddress
from worker.files.rows import Draft
from worker.files.stays import gather as gathering
from worker.files.where import Where

COLUMNS = Columns(("Email",), {})
WHERE = Where("default", "7", None, None, "attend")

people = st.sampled_from(["a@example.com", "A@example.com", "b@example.com", "c@example.com"])
minutes = st.none() | st.integers(0, 50)
rows = st.lists(st.tuples(people, minutes, minutes), max_size=30)


def gather(drafts: Iterable[Draft | LeftOut], shared_address: SharedAddress | None = None) -> list[Any]:
    """Gather rows that are a few minutes apart."""
    return list(gathering.gather(drafts, Options(shared_address=shared_address), merges=True))


def draft(line: int, email: str, joined: int | None, left: int | None) -> Draft:
    return Draft(WHERE, COLUMNS, [(line, [email])], {"email": email}, time=joined, joined=joined, left=left)


@settings(deadline=None)
@given(rows)
def test_each_person_is_gathered_once_from_the_first_join_to_the_last_leave(
    told: list[tuple[str, int | None, int | None]],
) -> None:
    stays: dict[str, list[tuple[int, int | None, int | None]]] = defaultdict(list)
    for line, (email, joined, left) in enumerate(told, 1):
        stays[email.lower()].append((line, joined, left))

    gathered = gather((draft(line, *row) for line, row in enumerate(told, 1)), shared_address=SharedAddress.ONE_PERSON)

    assert {item.contact: [line for line, _ in item.rows] for item in gathered if isinstance(item, Draft)} == {
        email: [line for line, _, _ in known] for email, known in stays.items()
    }
    for item in gathered:
        assert isinstance(item, Draft)
        known = stays[item.contact]
        came = [ms for _, ms, _ in known if ms is not None]
        went = [ms for _, _, ms in known if ms is not None]
        assert item.joined == item.time == min(came, default=None)
        if not went:
            assert item.left is None
        elif len(known) > 1 and came:
            assert item.left == max(*went, *came)
        else:
            assert item.left == max(went)


def test_events_and_states_are_gathered_apart() -> None:
    other = draft(2, "a@example.com", 1, 2)
    other.where = WHERE._replace(object_id="8")
    assert len(gather([draft(1, "a@example.com", 1, 2), other])) == 2


def test_what_is_no_draft_or_names_nobody_passes_at_once() -> None:
    nobody, out = draft(1, "", 1, 2), LeftOut(2, "did not attend")
    assert gather([nobody, out]) == [out, nobody]


def test_contact_properties_of_all_rows_are_kept_and_the_first_wins() -> None:
    one, two = draft(1, "a@example.com", 1, 2), draft(2, "a@example.com", 3, 4)
    one.input["contactProperties"] = {"firstname": "Ada"}
    two.input["contactProperties"] = {"firstname": "A.", "company": "Mills"}
    (person,) = gather([one, two])
    assert isinstance(person, Draft)
    assert person.input["contactProperties"] == {"firstname": "Ada", "company": "Mills"}


def test_an_address_that_stands_in_too_many_rows_is_nobodys() -> None:
    many = gathering.MOST_ROWS + 1
    drafts = gather(draft(line, "all@example.com", 1, 2) for line in range(1, many + 1))
    assert sum(len(item.rows) for item in drafts if isinstance(item, Draft)) == many
    assert all("no one person's" in item.faults[0].what for item in drafts if isinstance(item, Draft))
