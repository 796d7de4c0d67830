"""A producer: says `ready`, waits until it is told to begin, submits every record, says `done`."""

import sys

from records import read


def begin():
    """Read the records of the file that is named, and wait until told to begin."""
    records = list(read(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.readline()
    return records


def end():
    """Say that all is submitted, and stay until the processor time is read."""
    print("done", flush=True)
    sys.stdin.readline()


def produced(submit):
    """Submit one record after the other."""
    for path, one in begin():
        submit(path, one)
    end()
