"""The command that says what a finding means."""

from __future__ import annotations

import click

from jitwatch._errors import JitwatchError


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Say what a finding means: a program that has it, the same program without, and why JAX does this.

    CODE is that of the finding, such as JW301; without it, all codes are listed. The text is that of docs/findings.md.
    """
    from jitwatch._judge.codes import page_of
    from jitwatch._report.findings_page import sections, title

    known = sections()
    if code is None:
        for each, text in sorted(known.items()):
            click.echo(f"{each}  {title(text)}")
        return
    section = known.get(code.strip().upper())
    if section is None:
        raise JitwatchError(f"{code!r} is no code of a finding; codes are {', '.join(sorted(known))}.")
    click.echo(f"{section}\n\n{page_of(code.strip().upper())}")
