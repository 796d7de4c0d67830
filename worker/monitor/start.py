"""The monitor port of this process is opened, where the settings name one.

It opens before the process waits for what it needs: so it is seen to live, and why it is not ready. Monitoring never
stops work: where the port is taken, the process says so and works on, and its probes fail.
"""

from worker.log import get_logger
from worker.metrics import count
from worker.monitor.readiness import ALIVE, ProcessKind, Readiness, body
from worker.monitor.server import MonitorServer, as_json
from worker.setting_sources import SettingsError
from worker.settings import Settings, load_settings

log = get_logger(__name__)


def begin(kind: ProcessKind) -> MonitorServer | None:
    """Open the port and answer on it, as long as this process runs; none where no setting names one."""
    try:
        settings = load_settings()
    except SettingsError:
        return None  # the process ends with that as its reason
    return open_port(settings, kind) if settings.monitor_port else None


def open_port(settings: Settings, kind: ProcessKind) -> MonitorServer | None:
    """Open the port that the settings name, and begin to count; none where that is not possible."""
    counted = count.begin().registry  # before what imports prometheus_client, which reads the environment then
    from worker.monitor.exposition import CONTENT_TYPE, Exposition  # dear to import, and only for this

    exposition = Exposition(kind, settings, counted)
    readiness = Readiness(settings, kind)
    answers = {
        "/healthz": lambda: as_json(200, ALIVE),
        "/readyz": lambda: as_json(*body(readiness.checks())),
        "/metrics": lambda: (200, CONTENT_TYPE, exposition.text()),
    }
    try:
        server = MonitorServer(settings.monitor_host, settings.monitor_port, answers)
    except OSError as error:
        count.end()
        log.error(  # noqa: TRY400 - the port alone is amiss
            "monitor port not opened",
            host=settings.monitor_host,
            port=settings.monitor_port,
            reason=error.strerror or type(error).__name__,
            consequence="no probe and no metrics of this process; it works on",
        )
        return None
    server.begin()
    log.info("monitor", host=settings.monitor_host, port=settings.monitor_port)
    return server
