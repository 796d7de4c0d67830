"""Numbers with their nouns: 1 record, 2,000 records."""


def counted(number: int, noun: str, several: str = "") -> str:
    """Write how many of something there are; `several` is the noun's plural where it is not made with an s."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def is_or_are(number: int) -> str:
    """Give the verb that agrees with a number."""
    return "is" if number == 1 else "are"
