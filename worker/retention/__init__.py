"""How long things are kept, and forgetting a person.

- `purge`     what was settled longer ago than the retention goes, a little at a time
- `retain`    which old batches must stay, and why
- `delete`    what goes is folded into running totals
- `ungrouped`  what an earlier release did not accept gets its group, step by step
- `erase`     a person is removed from everything kept
- `blank`     their own records
- `mentions`  what else mentions them
- `redis_traces`  what Redis holds of them
"""
