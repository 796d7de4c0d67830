"""A message becomes records in batches, in one transaction, with a receipt.

- `addressed` the accounts and events that messages name
- `arrivals`  a message that arrives in the stream wakes who drains it
- `accept`    many messages, one transaction: receipts, new records, and what is not accepted, with reasons
- `store`     new records with the batch of each
- `receipts`  the results of a submission when it was accepted, part by part
- `wakes`     delivery is woken after something was accepted
"""
