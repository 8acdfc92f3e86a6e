"""Run the programs beside this file under jitwatch, and compare what it says with their headers.

    python tests/causes/score.py                                 # all programs, as they are
    python tests/causes/score.py C01 I07 --jobs 2                # some
    python tests/causes/score.py --variant threads               # copies of which the same must be said (variants.py)
    python tests/causes/score.py --variant all --repeat 2,5,20
    python tests/causes/score.py --repaired                      # the findings are gone, and their promises were kept

A positive has the counts of its header, and a finding on its function (or a place whose operations hold it) with its
cause among at most two causes; the two costliest such findings name every part of `where`. An innocent has the counts
and no finding at all; notes are no findings. Copies that plain Python cannot run are left out and named, and so are
copies of innocents that compile more than the original. Exit status 1 if anything falls short.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from headers import HERE, missing, plain, programs, repaired
from variants import VARIANTS, LeftOut, Variant, names_of

TIMEOUT_S = 900
JITWATCH = [sys.executable, "-m", "jitwatch"]


class Failed(Exception):
    """A program that ended with an error, or a report that is not there."""


@dataclasses.dataclass(frozen=True)
class Score:
    """What falls short of the header, and what else is worth saying."""

    short: tuple[str, ...] = ()
    note: str = ""
    left_out: bool = False


def environment(extra: dict, folder: pathlib.Path, *, shared: bool) -> dict[str, str]:
    """That of one process; several share a persistent cache."""
    found = {**os.environ, "JAX_PLATFORMS": "cpu", **{key: str(value) for key, value in extra.items()}}
    found["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return found | ({"JAX_COMPILATION_CACHE_DIR": str(folder / "cache")} if shared else {})


def report_of(path: pathlib.Path, case: dict, folder: pathlib.Path, *, processes: int = 1) -> dict:
    """What jitwatch says of a program: of all its starts, or of several processes at once whose data is added up."""
    runs = case.get("runs") or [{}]
    found: dict = {"functions": [], "places": []}
    for n, extra in enumerate(runs):
        report = folder / f"report{n}.json"
        env = environment(extra, folder, shared=len(runs) > 1)
        if processes == 1:
            watch([*JITWATCH, "run", "--quiet", "--json", str(report), str(path)], env, folder)
        else:
            data = [str(folder / f"{number}.data") for number in range(processes)]
            commands = [[*JITWATCH, "run", "--quiet", "-o", each, str(path)] for each in data]
            with ThreadPoolExecutor(processes) as pool:
                list(pool.map(watch, commands, repeat(env), repeat(folder)))
            watch([*JITWATCH, "combine", "-o", str(folder / "all.data"), *data], env, folder)
            watch([*JITWATCH, "json", "-o", str(report), str(folder / "all.data")], env, folder)
        got = json.loads(report.read_text())
        found["functions"] += got["functions"]
        found["places"] += got.get("places", [])
    return found


def watch(command: list[str], env: dict[str, str], folder: pathlib.Path) -> None:
    done = plain(command, env=env, cwd=folder, timeout=TIMEOUT_S)
    if done.returncode:
        raise Failed("; ".join((done.stderr or done.stdout).strip().splitlines()[-1:]) or "no word")


def mine(report: dict, name: str) -> tuple[list[dict], list[dict]]:
    """The functions of a name, and the findings on them and on places whose operations hold it."""
    functions = [each for each in report["functions"] if each["name"] == name]
    findings = [finding for each in functions for finding in each["findings"]]
    return functions, findings + [each for each in report["places"] if name in each.get("operations", ())]


def every_finding(report: dict) -> list[dict]:
    """All findings of a report, with the name of what each is about."""
    named = [{"name": each["name"], **finding} for each in report["functions"] for finding in each["findings"]]
    return named + [{"name": "+".join(each.get("operations", ())), **each} for each in report["places"]]


def compiled(report: dict, name: str | None = None) -> int:
    """How often XLA compiled a function of this name, or any; loads from the persistent cache left out."""
    functions = [each for each in report["functions"] if name in (None, each["name"])]
    return sum(each["compiles"] - each["stages"]["loads"] for each in functions)


def wanted(case: dict, path: pathlib.Path) -> Iterator[str]:
    """Regular expressions, each of which what a finding names must match."""
    match = case.get("match", {})
    if "text" in match:
        yield from match["text"]
    elif "line" in match:  # the header has it too, further up
        lines = path.read_text().splitlines()
        number = max(n for n, line in enumerate(lines, 1) if match["line"] in line)
        yield rf"{re.escape(path.name)}:{number}\b"
    else:
        for part in case["where"]:
            name = case["function"] if "function itself" in part else re.sub(r"^(static|config) ", "", part)
            yield rf"(?<![\w.\]]){re.escape(name)}(?!\w)"


def shortcomings(case: dict, report: dict, path: pathlib.Path, *, times: int | None = 1) -> Iterator[str]:
    """What a report lacks, or has too much.

    Args:
        case: The header.
        report: What jitwatch said.
        path: The program, for the line that a finding must name.
        times: How many processes ran it; None where the counts are not those of the header.
    """
    functions, findings = mine(report, case["function"])
    for what in ("traces", "compiles"):
        got, expected = sum(each[what] for each in functions), case[f"expected_{what}"]
        if times and got != expected * times and not (what == "traces" and case.get("count")):
            yield f"{got} {what}, not {expected * times}"
    others = every_finding(report)
    if case["kind"] == "positive":
        others = [each for each in others if each["name"].startswith("innocent_")]
        told = sorted((each for each in findings if len(each["causes"]) <= 2), key=lambda each: -each["lost_s"])[:2]
        causes = {cause for each in told for cause in each["causes"]}
        if not causes & {case["cause"], *case.get("match", {}).get("also", ())}:
            yield f"cause {', '.join(sorted(causes)) or 'not found'}, not {case['cause']}"
        prose = ("message", "advice") if "text" in case.get("match", {}) else ()
        named = "\n".join(
            str(part)
            for each in told
            for part in [*each["where"], *(each.get(key, "") for key in ("call_site", *prose))]
        )
        for expression in wanted(case, path):
            if told and not re.search(expression, named):
                yield f"no word of {expression}"
    yield from (f"said of {each['name']}: {each.get('message', each['causes'])}" for each in others)


@contextlib.contextmanager
def copy(path: pathlib.Path, source: str) -> Iterator[pathlib.Path]:
    """A program under its own name in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder).resolve() / path.name
        made.write_text(source)
        yield made


def runs_plainly(path: pathlib.Path) -> str:
    """Why plain Python cannot run a program, or an empty text."""
    env = environment({}, path.parent, shared=False)
    done = plain([sys.executable, str(path)], env=env, cwd=path.parent, timeout=TIMEOUT_S)
    return "; ".join(done.stderr.strip().splitlines()[-1:]) or "it fails" if done.returncode else ""


def score_variant(path: pathlib.Path, case: dict, variant: Variant | None, options: dict, repair: bool) -> Score:
    """The score of a program, or of one copy of it."""
    source = repaired(path.read_text()) if repair else path.read_text()
    try:
        source, case = variant.make(source, case, **options) if variant else (source, case)
    except LeftOut as why:
        return Score(note=str(why), left_out=True)
    with copy(path, source) as made:
        try:
            report = report_of(made, case, made.parent, processes=variant.processes if variant else 1)
        except Failed as error:
            if variant and (why := runs_plainly(made)):
                return Score(note=f"plain Python cannot run it: {why}", left_out=True)
            return Score((f"fails under jitwatch: {error}",))
        if repair:
            return score_repair(path, case, report)
        times = (variant.processes if variant.compare_counts else None) if variant else 1
        short = tuple(shortcomings(case, report, made, times=times))
    if short and case["kind"] == "negative" and variant and not variant.compare_counts:
        with copy(path, path.read_text()) as original:
            before, now = compiled(report_of(original, case, original.parent)), compiled(report)
        if now > before:
            return Score(note=f"it compiles {now} programs, the original {before}", left_out=True)
    return Score(short)


def score_repair(path: pathlib.Path, case: dict, report: dict) -> Score:
    """Whether the repair left nothing to say of the function, and saved what the findings had promised."""
    name = case.get("repaired_as", case["function"])
    with copy(path, path.read_text()) as original:
        before = report_of(original, case, original.parent)
    findings = mine(before, case["function"])[1]
    promised = sum(each["compiles"] for each in findings)
    # What was eager is another function after its repair, and its finding may speak of the operations around it too.
    kinds = {each.get("kind") for each in mine(before, case["function"])[0]}
    whole = name != case["function"] or kinds != {"jitted"}
    names = (None, None) if whole else (case["function"], name)
    saved = compiled(before, names[0]) - compiled(report, names[1])
    left = [each for label in {name, case["function"]} for each in mine(report, label)[1]]
    short = [f"still said: {each.get('message', each['causes'])}" for each in left]
    if saved < promised:
        short.append("the findings promised more than the repair saved")
    return Score(tuple(short), f"promised {promised}, saved {saved}" + (" in the whole program" if whole else ""))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help="such as C01 I07; all if left out")
    parser.add_argument("--variant", choices=[*VARIANTS, "all"], help="score copies in place of the programs")
    parser.add_argument("--repeat", metavar="K,K", help="how often the copies with a loop run their driving part")
    parser.add_argument("--repaired", action="store_true", help="apply each positive's repair first")
    parser.add_argument("--jobs", type=int, default=1, help="how many programs run at once")
    parser.add_argument("--cases", type=pathlib.Path, default=HERE, help="another folder of programs")
    args = parser.parse_args()
    args.times = [int(each) for each in (args.repeat or "5").split(",")]
    args.variant = args.variant or ("repeat" if args.repeat else None)
    return args


def main() -> int:
    args = parse()
    variants = list(names_of(args.variant, args.times)) if args.variant else [("", None, {})]
    found = [
        each for each in programs(args.cases.resolve(), args.ids) if not args.repaired or each[1]["kind"] == "positive"
    ]
    absent = {each["library"]: missing({**each, "needs_jax": "0.6.1"}) for _, each in found}
    lacking = {path: absent[case["library"]] or ("needs_jax" in case and missing(case)) or "" for path, case in found}
    work = [(path, case, *variant) for path, case in found for variant in variants]

    def score(path: pathlib.Path, case: dict, _: str, variant: Variant | None, options: dict) -> Score:
        if lacking[path]:
            return Score(note=lacking[path], left_out=True)
        try:
            return score_variant(path, case, variant, options, args.repaired)
        except (Failed, ValueError, OSError, subprocess.TimeoutExpired) as error:
            return Score((f"not scored: {error}",))

    short = left_out = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for (path, _, label, *_), one in zip(work, pool.map(lambda each: score(*each), work), strict=True):
            short, left_out = short + bool(one.short), left_out + one.left_out
            verdict = "; ".join(one.short) or ("left out" if one.left_out else "right")
            print(f"{path.stem:44s} {label:10s} {verdict}{f' ({one.note})' if one.note else ''}", flush=True)
    print(f"{len(work) - left_out - short} of {len(work) - left_out} right, {left_out} left out")
    return 1 if short or left_out == len(work) else 0


if __name__ == "__main__":
    raise SystemExit(main())
