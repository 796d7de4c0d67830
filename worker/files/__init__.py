"""The file door: a CSV or JSON Lines file becomes messages, read twice (for its questions first) in bounded memory.

Going down, in the order in which a row meets them:

- `lines`    bytes to numbered lines: encodings, byte-order marks, what is no text at all
- `cells`    lines to rows of cells: quotes, quoted newlines, a quote that never closes
- `names`    what the usual tools call their columns; `columns`: a header, recognised
- `repeated` titles that stand twice, and whose address it is
- `deciding` columns that decide who counts, with `standings` (what a status says) and `roles` (who ran the event)
- `tables`   the tables and sections of a file, and what stands above its header
- `options`  what the command line adds; `mapping`: what `--map` says of columns and their values
- `judging`  whether a row counts; `survey`: the first look at a whole file, for what must be asked
- `times`    what the usual tools write as a time; `clocks`: a local time in its zone
- `where`    the event, the state and the account of an input, from its row or the options
- `drafts`   a row's cells to a draft of an input
- `joins`    many joins of a person to one an occurrence, on disk (`spool`) until the whole file has been read: its
             `occurrences`, and addresses that different `persons` share (`sharing`), are asked about (`questions`)
- `jsonl`    a line of JSON to inputs
- `reading`  all of these put together: a file to records, refused rows and rows left out
- `chunks`   records to messages, in an order that keeps each contact's
- `handing`  messages to the stream and refused rows to the books, then the wait for the receipt
- `refusals` the refused rows as a file to be mended; `closing`: the facts of the closing table
"""
