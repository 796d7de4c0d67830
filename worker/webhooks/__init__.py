"""Producers are told what became of their submissions.

- `endpoint`  a key's URL and secret: where it may lead, and how what is sent is signed
- `notify`    which submissions have news, and the POST that tells it
"""
