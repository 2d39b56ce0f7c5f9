"""`python -m archbench`: the command line, after Python has put the working folder first on its path."""

from archbench.cli import main

main()
