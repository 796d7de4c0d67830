"""Options that several commands share: a dataclass whose fields are options, taken as one parameter."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import get_type_hints


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Show the fields of a parameter's dataclass as options, in the parameter's place."""
    groups: dict[str, tuple[type, list[str]]] = {}
    parameters: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        kind = parameter.annotation
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(parameter)
            continue
        options = get_type_hints(kind, include_extras=True)
        parameters += [
            Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=options[one.name])
            for one in fields(kind)
        ]
        groups[parameter.name] = kind, [one.name for one in fields(kind)]

    @wraps(command)
    def run(**given: object) -> None:
        grouped = {name: kind(**{one: given.pop(one) for one in names}) for name, (kind, names) in groups.items()}
        command(**given, **grouped)

    # What typer reads.
    vars(run)["__signature__"] = Signature(parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
