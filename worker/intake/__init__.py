"""A message becomes records in batches, in one transaction, with a receipt.

- `accept`    many messages, one transaction: receipts, new records, and what is not accepted, with reasons
- `store`     new records with the batch of each
- `receipts`  what became of a submission when it was accepted, part by part
"""
