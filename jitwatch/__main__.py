"""`python -m jitwatch` is the command `jitwatch`."""

from jitwatch._cli.main import main

main(prog_name="python -m jitwatch")
