"""The tasks of the verbs by their names, the queues in which they wait, and who reads these."""

from typing import Final

INTAKE: Final = "attendance.intake"
ACCEPT: Final = "attendance.accept"
DELIVER: Final = "attendance.deliver"
VERIFY: Final = "attendance.verify"
NOTIFY: Final = "attendance.notify"
SWEEP: Final = "attendance.sweep"
PURGE: Final = "attendance.purge"
JOB: Final = "attendance.job"
"""Sent by the sweep, both, on the sweep's queue."""
REFUSE: Final = "attendance.refuse"
"""Not sent: a worker makes it of a message that is no call of these (`worker.consumer`)."""
TASKS: Final = (INTAKE, ACCEPT, DELIVER, VERIFY, NOTIFY, SWEEP)

DELIVERY_QUEUES: Final = DELIVER
HOUSEKEEPING_QUEUES: Final = f"{INTAKE},{ACCEPT},{SWEEP},{VERIFY},{NOTIFY}"
WORKER_OPTIONS: Final = ("--pool=threads", "--without-gossip", "--without-mingle", "--without-heartbeat")
"""Threads: what waits on the network needs no process each (32 of them: 51 MB against prefork's 806). No gossip, no
mingle, no heartbeats between workers: they know nothing of each other that matters."""
