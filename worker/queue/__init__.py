"""The queue in PostgreSQL: whose turn it is, and what became of a batch. Every order per contact is kept here.

- `locks`              the event's lock, which comes before all others
- `contact_index`      the newest batch that holds a contact, and which record overtakes which
- `lanes`              the queue heads of each event, by which the claim finds what is due
- `claim`              one due batch becomes PROCESSING, under a lease with a token
- `members`            its records, as they are sent
- `settle`             the claim ends: settled, postponed, split or given up
- `expired_leases`     batches of lost workers go back to PENDING
- `attempts`           the row of each call to HubSpot, before and after it
- `requeue`            settled records move into new batches
- `in_doubt`           records that HubSpot may have, since a call brought no answer
- `unconfirmed`        records that HubSpot's answer left open: whose turn it is to be looked for
- `read_back_results`  what was found
- `traces`             the producers' spans that a batch's trace links to
- `seen_groups`        kinds of errors are noted as seen when their errors are stored
"""
