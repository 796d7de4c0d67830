"""A header, recognised.

- `header`    which column holds what, and whose address it is
- `synonyms`  what the usual tools call their columns
- `mapping`   what --map says of columns and their values
- `repeated`  titles that stand twice, and two people's addresses in one row
- `deciding`  columns that decide who counts; `statuses`: what a status says; `roles`: who ran the event
"""
