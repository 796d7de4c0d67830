"""`turnout serve`: the API and the console."""

from typing import Annotated

import typer


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8800,
) -> None:
    """Serve the API and the console; any number, on any host.

    The API takes records as HubSpot's own attendance API does; the console is at /.

    TLS is the business of a proxy in front of it: TURNOUT_PUBLIC_URL names the address from outside,
    TURNOUT_TRUSTED_PROXIES the proxy's own. Keys: `turnout keys create NAME --role producer` (operator, viewer).
    """
    from worker.logging_setup import set_up
    from worker.settings import log_format

    shape = log_format()
    set_up(shape)
    try:
        _serve(host, port)
    except Exception as error:
        if shape != "json":
            raise
        from worker.log import get_logger

        get_logger(__name__).critical("cannot serve", exc_info=error)
        raise typer.Exit(1) from None


def _serve(host: str, port: int) -> None:
    from web.server import Server
    from worker import schema_watch
    from worker.monitor import start as monitor
    from worker.monitor.readiness import ProcessKind
    from worker.process_start import start
    from worker.startup import Service

    monitor.begin(ProcessKind.SERVE)
    process = start("turnout serve", needs=[Service.POSTGRESQL])  # what comes by HTTP is stored without Redis
    schema_watch.begin(process, "turnout serve")
    Server(process, host, port).run()


def log_wrong_option(message: str) -> None:
    """End the process with a line as any other of its log, where that is JSON.

    Raises:
        typer.Exit: then.

    """
    from worker.log import get_logger
    from worker.logging_setup import set_up
    from worker.settings import log_format

    if log_format() == "json":
        set_up("json")
        get_logger(__name__).critical("cannot start", reason=message)
        raise typer.Exit(2)
