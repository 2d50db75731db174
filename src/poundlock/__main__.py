"""`python -m poundlock` is `poundlock`."""

from poundlock.cli import main

main()
