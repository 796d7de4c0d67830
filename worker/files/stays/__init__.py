"""Many joins of a person become one stay for each occurrence.

- `gather`            the rows of a person, merged
- `spool`             a file's rows on disk, until the whole of it has been read
- `occurrences`       a report of several: the event is one of them
- `shared_addresses`  addresses that many people share
"""
