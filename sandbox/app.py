"""The sandbox as an ASGI app."""

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.control import routes
from sandbox.gateway import Gateway
from sandbox.options import SandboxOptions
from sandbox.world import World


def create_app(options: SandboxOptions, clock: Callable[[], float] | None = None) -> Starlette:
    """Make a sandbox with a state of its own: `app.state.world`.

    `clock` tells epoch seconds and never runs backwards.

    The faults `hang`, `cut` and `truncate` need uvicorn with `connection.BreakableProtocol`; `server.Server` is that.
    """
    world = World(options, clock or _steady_clock())
    app = Starlette(routes=[*routes(world), Mount("/", Gateway(world))])
    app.state.world = world
    return app


def _steady_clock() -> Callable[[], float]:
    """Tell the time of day, which a correction of the machine's clock does not move: the limits are counted by it."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()
