"""Calls that run out of time, on a busy machine as on an idle one."""

from collections.abc import Callable

from hubspot_api.response import NoResponse, Response


def out_of_time(call: Callable[[float], Response | NoResponse]) -> Response | NoResponse:
    """Make a call with less time than its answer takes; with more, where nothing had been sent by then."""
    for seconds in (0.3, 3.0):
        response = call(seconds)
        if isinstance(response, Response) or response.sent:
            return response
    return call(30.0)
