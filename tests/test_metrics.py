"""What `/metrics` says, held against what was done; by whom; and that it names nobody."""



from tasks.deliver import deliver
from tests.support.fixtures import Submit
from tests.support.ledger import message
from tests.support.monitors import asked, open_monitor
from worker.context import Context
from worker.monitor.readiness import Kind
from worker.settings import Settings


def test_try(settings: Settings, submit: Submit, sending: Context) -> None:
    with open_monitor(settings, Kind.WORKER) as url:
        submit(message("register", "ada@example.com"), message("register", "bob@example.com"))
        deliver(sending, "default", lambda *a, **k: 0)
        print(asked(url, "/metrics").text)
    with open_monitor(settings, Kind.BEAT) as url:
        print(asked(url, "/metrics").text)
