"""What was read of a file, submitted: messages to the stream, rejected rows to the books and beside the file.

- `submit`        messages to the stream, rejected rows to the books, then the wait for the receipt
- `rejects_file`  the rejected rows as a file to be corrected, in the file's own format and titles
- `summary`       the closing table, for people and for programs
- `corrections`   what a corrected file corrects, and closing it
"""
