"""Producers are told what became of their submissions.

- `endpoint`          a key's URL and secret, and where it may lead
- `public_addresses`  which addresses are the public Internet's
- `signature`         how what is sent is signed
- `news`              which submissions have news, and its words
- `notify`            the POST that tells it
"""
