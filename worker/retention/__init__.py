"""How long things are kept, and forgetting a person.

- `purge`  what was settled longer ago than the retention goes, a little at a time
- `erase`  a person is removed from everything kept
"""
