"""Attendance files: a CSV or JSON Lines file becomes messages, read twice (for its questions first) in bounded memory.

Going down, in the order in which a row meets them:

- `lines`                 bytes to numbered lines: encodings, byte-order marks, what is not text at all
- `csv_rows`              lines to rows of cells: quotes, quoted newlines, a quote that never closes
- `sections`              the tables of a file, and what stands above its header
- `columns`               a header, recognised: which column holds what, and which decide who counts
- `options`               what the command line adds
- `signs`                 what one cell says; `verdicts`: whether a row counts
- `first_look`            a look at the whole file, for what must be asked
- `several_events`        a column that names more than one event; `record_ids`: ids that may be HubSpot's
- `unannounced_statuses`  columns that decide by their values, under a title that announces nothing
- `written_zones`         a time zone that the file names itself
- `people`                how many people are behind the spellings of a name
- `questions`             what only the reader of a file can decide, asked before anything is sent
- `times`                 what the usual tools write as a time; `clocks`: a local time in its zone
- `where`                 the event, the state and the account of an input, from its row or the options
- `rows`                  a row's cells to an input; `jsonl`: a line of JSON to inputs
- `not_addresses`         what stands where a contact's address should
- `stays`                 many joins of a person to one stay for each occurrence
- `reader`                all of these put together: a file to records, rejected rows and rows left out
- `messages`              records to messages, in an order that keeps each contact's
- `corrections`           what a corrected file corrects, and closing it
- `submit`                messages to the stream, rejected rows to the books, then the wait for the receipt
- `sheet`                 the one writer of CSV: no spreadsheet runs its cells, and they are read back unchanged
- `rejects_file`          the rejected rows as a file to be corrected; `summary`: the facts of the closing table
- `source`                the rows of a refusal, kept, and read again
"""
