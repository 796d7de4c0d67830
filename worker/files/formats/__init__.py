"""What a file is: bytes to rows of cells, or to lines of JSON, whatever the tool that wrote it.

- `content`         a file opened: its kind, its encoding, its rows, and what must be asked to read it at all
- `delimited`       text whose cells are separated by commas, semicolons or tabs, and lines of JSON
- `encodings`       which encoding a text is in: by its mark, as UTF-8, or guessed and then asked
- `workbook`        xlsx, xlsb, xls and ods, read by calamine; `cell_text`: a cell as text
- `workbook_bounds` what one may hold, measured before it is opened: `packed_workbook` measures xlsx, xlsb and ods,
  `binary_records` the records of xlsb and xls, `ole_stream` opens the file that an xls is
- `html_table`      tables of a web page, and Excel's XML of 2003: what many tools call `.xls`
- `json_document`   a list of objects, or a tool's API answer, as rows under the names of its fields
- `archive`         a zip with one of these
- `kept_rows`       rows on disk, so that a file of any kind can be read twice in bounded memory
"""
