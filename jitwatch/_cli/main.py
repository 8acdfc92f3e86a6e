"""The command `jitwatch`: the group of its commands, and how they end on an error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, NoReturn

import click

from jitwatch import __version__, _config
from jitwatch._cli import (
    comparing,
    debugging,
    erasing,
    explaining,
    programs,
    reporting,
    running,
    tailing,
    writing,
)
from jitwatch._errors import JitwatchError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """A group whose commands answer a `JitwatchError` with one line and exit status 1, as they do a usage error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            program = super().main(*args, **kwargs | {"standalone_mode": False})
            # The watched program runs out here, where its exceptions are its own and none of click's.
            return program() if callable(program) else program
        except click.exceptions.Abort:
            _fail("interrupted")
        except click.ClickException as error:
            error.show()
            sys.exit(1)
        except JitwatchError as error:
            _fail(str(error))
        except OSError as error:  # of standard output: those of files are named where they occur
            _leave_standard_output()
            _fail(f"the output cannot be written: {error.strerror or error}.")


def _leave_standard_output() -> None:
    """Lead what is still to be written nowhere, so that the interpreter's last flush cannot fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> NoReturn:
    click.echo(f"jitwatch: {message}", err=True)
    sys.exit(1)


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="jitwatch")
def main() -> None:
    """Find out what JAX compiles in a program: what, how often, at whose line, and what it costs.

    \b
    Start here:
      jitwatch run train.py --epochs 3     run a program and print the report at its end
      jitwatch report                      print it again, from the data file
      jitwatch html                        the same as a page for the browser
      jitwatch json                        the same as JSON
      jitwatch trace                       when what compiled, for Perfetto
      jitwatch explain JW301               what a finding means, with a program that has it and one that has not
      jitwatch programs diff DIR/A DIR/B   in what two programs differ that `run --programs DIR` kept
      jitwatch combine A B                 add up the data files of several machines
      jitwatch run --live train.py         see each recompilation while it runs
      jitwatch tail                        follow a running program from another shell
      jitwatch diff A B                    what compiles more than before, and why
      jitwatch check --budget FILE         does anything compile more than it may?
      PYTHONPATH="$(jitwatch autostart)" JITWATCH=1 python train.py    watch a program that something else starts

    Exit status: 0 if all went well, 1 for an error, 2 where a threshold failed; `run` passes on the program's own.
    """
    _config.check_environment()
    if click.get_current_context().invoked_subcommand != "run" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an encoding that lacks a character must not end a report


for _command in (
    running.run, reporting.report, reporting.json_command, writing.html, writing.trace, reporting.combine,
    reporting.warm_up, running.autostart, explaining.explain, programs.programs, tailing.tail, erasing.erase,
    debugging.debug,
    comparing.diff, comparing.check,
):  # fmt: skip
    main.add_command(_command)
