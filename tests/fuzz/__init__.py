"""Fuzz targets: what reads bytes of others must neither raise nor break its promise, whatever it reads.

Each file has one function, `judge`, that takes bytes and asserts. `tests/test_fuzz.py` gives it a few hundred inputs;
`python -m tests.fuzz TARGET` runs it under atheris (CONTRIBUTING.md).

- `answers`   HubSpot's answers to a POST and to a read-back, and an OAuth token
- `messages`  messages of the stream, of Celery and of the API, and what erasing leaves of them
- `files`     attendance files, the file of rows that are not accepted, and it read again
- `forms`     the console's forms and filters, addresses in free text, corrections
"""
