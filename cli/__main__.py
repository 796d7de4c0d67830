"""`python -m cli`: the command line, where `turnout` is not on the path."""

from cli import main

main()
