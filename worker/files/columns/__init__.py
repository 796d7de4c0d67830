"""A header, recognised.

- `header`               which column holds what, and whose address it is
- `known_titles`         what the usual tools call their columns
- `map_option`           what --map says of columns and their values
- `repeated`             titles that stand twice, and two people's addresses in one row
- `who_counts`           columns that decide who counts; `deciding_titles`: how they are called
- `status_values`        what a status says
- `rsvp_questions`       a title that asks whether somebody comes
- `hosts_and_attendees`  who ran the event and who attended it
"""
