"""`python -P -m dashboard.cli`: the same as `specyard`, for where its script is not on the PATH."""

from dashboard.cli import main

main(prog_name="specyard")
