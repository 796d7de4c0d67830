"""`python -m tests.fuzz TARGET [options of libFuzzer]`: a target under atheris, which is installed by hand."""

import sys
from importlib import import_module

import atheris  # type: ignore[import-untyped]

if __name__ == "__main__":
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["hubspot_api", "models", "worker", "web"]):
        judge = import_module(f"tests.fuzz.{name}").judge
    atheris.Setup(sys.argv, judge)
    atheris.Fuzz()
