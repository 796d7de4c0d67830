"""The tables. Every index answers a query that the design names; nothing scans what grows.

Records and errors carry no foreign keys: each would cost a look-up and a row lock per record, and the books
(`turnout audit`) recount what a key would hold.

- `base`        what all tables stand on: types by annotation, names of constraints, and values as statements write them
- `accounts`    accounts, whose row every claim looks at
- `queue`       the queue: events, what the claim orders by, batches with their records, and the calls made of them
- `errors`      errors, the history of each record, and what they have in common
- `submissions` submissions: their receipts, what of them was not accepted, and what webhooks are told of them
- `keys`        keys of producers and operators, who is signed in by one, and the database's secrets
- `operations`  what operators and schedules do: the audit log, jobs with their results, schedules
- `throughput`  what calls came to, added up by ten minutes
- `retention`   what stays of what was purged or erased: numbers
- `schema`      which releases may run on these tables
"""

from models.tables.accounts import Account
from models.tables.base import Base, among, fixed, ids, seconds, words
from models.tables.errors import Error, ErrorContext, ErrorGroup, ReadBack, looked_for
from models.tables.keys import Key, Secret, Session
from models.tables.operations import Act, Job, JobItem, JobItemResult, Schedule
from models.tables.queue import BATCH_IDS, NOBODY, RECORD_IDS, Attempt, Batch, Event, Lane, Record
from models.tables.retention import Erasure, Purged
from models.tables.schema import SchemaRevision
from models.tables.submissions import SUBMISSION_IDS, Notification, Refused, Submission, Trace
from models.tables.throughput import Throughput, ThroughputByAccount

__all__ = [
    "BATCH_IDS",
    "NOBODY",
    "RECORD_IDS",
    "SUBMISSION_IDS",
    "Account",
    "Act",
    "Attempt",
    "Base",
    "Batch",
    "Erasure",
    "Error",
    "ErrorContext",
    "ErrorGroup",
    "Event",
    "Job",
    "JobItem",
    "JobItemResult",
    "Key",
    "Lane",
    "Notification",
    "Purged",
    "ReadBack",
    "Record",
    "Refused",
    "Schedule",
    "SchemaRevision",
    "Secret",
    "Session",
    "Submission",
    "Throughput",
    "ThroughputByAccount",
    "Trace",
    "among",
    "fixed",
    "ids",
    "looked_for",
    "seconds",
    "words",
]
