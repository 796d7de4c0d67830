"""Producers are told what became of their submissions.

- `endpoint`   a key's URL and secret, and where it may lead
- `signature`  how what is sent is signed
- `notify`     which submissions have news, and the POST that tells it
"""
