"""Attendance files as people have them, read: bytes and options in; records, rows left out and questions out.

A pure library: it knows no database and no terminal. A file is read twice (for its questions first), in bounded memory.
Going down, in the order in which a row meets them:

- `formats`               what a file is: CSV, JSON, workbooks, web pages, zips; its encoding; its rows
- `lines`                 bytes to numbered lines: encodings, byte-order marks, what is not text at all
- `csv_rows`              lines to rows of cells: quotes, quoted newlines, a quote that never closes
- `sections`              the tables of a file, and what stands above its header; `title_rows`: what one such row says
- `columns`               a header, recognised: which column holds what, and which decide who counts
- `options`               what its reader says of it
- `interview`             everything that must be answered before the rows are read, in one stop
- `guess`                 what columns hold whose titles are not known, by their cells
- `event_facts`           what a report says of its event beside the table of people
- `time_evidence`         what the times of a file need, and what it says of that; `order_evidence`: of its dates
- `no_addresses`          reports without addresses, and which one of the tool has them
- `signs`                 what one cell says; `verdicts`: whether a row counts
- `first_look`            a look at the whole file, for what must be asked
- `several_events`        a column that names more than one event; `record_ids`: ids that may be HubSpot's
- `unannounced_statuses`  columns that decide by their values, under a title that announces nothing
- `written_zones`         a time zone that the file names itself
- `people`                how many people are behind the spellings of a name
- `questions`             what only the reader of a file can decide, asked before anything is sent
- `plain_text`            a cell's text in plain letters and western figures
- `dates`                 the day that a text begins with, in its order; `durations`: how long somebody stayed
- `ranges`                two times in one cell; `swapped_dates`: a spreadsheet's dates, day and month exchanged
- `times`                 what the usual tools write as a time; `clocks`: a local time in its zone
- `where`                 the event, the state and the account of an input, from its row or the options
- `rows`                  what becomes of a row: a draft, then a record or a refused row
- `drafter`               a row's cells to a draft; `row_times`: when somebody came and left
- `jsonl`                 a line of JSON to inputs
- `not_addresses`         what stands where a contact's address should
- `not_people`            footers, totals, telephones and people without an address
- `stays`                 many joins of a person to one stay for each occurrence
- `reader`                all of these put together: a file to records, rejected rows and rows left out
- `messages`              records to messages, in an order that keeps each contact's
- `sheet`                 the one writer of CSV: no spreadsheet runs its cells, and they are read back unchanged
- `facts`                 what was read, counted
- `source`                the rows of a refusal, kept, and read again
"""
