"""`turnout …`: one file a group of commands; no decisions of its own."""


def main() -> None:
    """Run the command line."""
    from cli.app import run

    run()
