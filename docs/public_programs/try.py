"""Run public programs unmodified under plain Python and under jitwatch, and compare.

    python try.py SOURCES              all programs of programs.toml
    python try.py SOURCES numpyro      those whose name contains a word
    python try.py --list               their names, projects, commits, paths and packages

SOURCES is a folder with a git checkout of each project, under the project's name (`SOURCES/numpyro`). This Python needs
jitwatch and the packages that `--list` names. What a program printed, its data file and both reports are left in
WORK/NAME.

Each program is run under plain Python with JAX's own log of compilations (JAX_LOG_COMPILES), and under `jitwatch run`;
where the two print different things, under plain Python once more, to see whether that differs too. A notebook is run
as a script of its code cells. Where a fixed copy lies at WORK/NAME/fixed.py, it is run as well, for what is left.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).parent
COMPILED = re.compile(r"Finished XLA compilation of (?:\w+\((.+)\)|(.+)) in [\d.]+ sec")
LOG_LINE = re.compile(r"^.*(?:Finished (?:tracing|jaxpr|XLA)|Compiling ).*\n", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?|[-\\|/█▏▎▍▌▋▊▉ ]")


def code_of_notebook(text: str) -> str:
    """The code cells as one script; what only IPython understands is commented out."""
    cells = []
    for number, cell in enumerate(json.loads(text)["cells"]):
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            if lines and lines[0].startswith("%%") and not lines[0].startswith("%%time"):
                lines = [f"# {line}" for line in lines]
            magic = re.compile(r"(\s*)(?=[%!]|\w+\?)")
            lines = [magic.sub(r"\1pass  # ", line, count=1) if magic.match(line) else line for line in lines]
            shows_an_error = any(output["output_type"] == "error" for output in cell.get("outputs", []))
            if shows_an_error:
                lines = ["try:", *(f"    {line}" for line in lines), "except Exception as error:", "    print(error)"]
            cells.append("\n".join([f"# Cell {number}", *lines]))
    return "\n\n".join(cells) + "\n"


def script_of(program: dict, sources: pathlib.Path) -> str:
    """The text to run: the file in the checkout, a notebook as a script, with fewer steps where that is asked for."""
    path = sources / program["project"].split("/")[1] / program["path"]
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = code_of_notebook(text)
    for name, value in program.get("smaller", {}).items():
        text, found = re.subn(rf"(\b{name}\b[\"']?(?:: \w+)?\s*[=:,]\s*(?:default=)?)[\d_.e]+", rf"\g<1>{value}", text)
        if not found:
            raise SystemExit(f"{path}: no number is given to {name}; is this commit {program['commit']}?")
    return text


def run(command: list[str], folder: pathlib.Path, script: tuple[str, str], kept: str, environment: dict) -> dict:
    """Run a command in a folder that holds the script and nothing else, and keep what it printed."""
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    (scratch / script[0]).write_text(script[1])
    cpu, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    (folder / f"{kept}.out").write_bytes(done.stdout)
    (folder / f"{kept}.err").write_bytes(done.stderr)
    return {
        "exit": done.returncode,
        "out": done.stdout.decode(errors="replace"),
        "err": done.stderr.decode(errors="replace"),
        "wall_s": round(seconds, 1),
        "cpu_s": round(after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime, 1),
    }


def alike(watched: str, plain: str, again: str) -> str:
    """Whether an output is the plain one, as far as two plain runs have the same."""
    if watched == plain:
        return "same"
    if plain != again and NUMBER.sub("", watched) in (NUMBER.sub("", plain), NUMBER.sub("", again)):
        return "same but for numbers, which differ between plain runs too"
    return "OTHER" if plain == again else "differs, as it does between plain runs"


def names_in_log(text: str) -> collections.Counter:
    return collections.Counter(a or b for a, b in COMPILED.findall(text))


def names_in_report(report: dict) -> collections.Counter:
    counted: collections.Counter = collections.Counter()
    for function in report["functions"]:
        counted[function["name"]] += function["compiles"]
    return +counted


def compared(log: collections.Counter, report: dict) -> dict:
    """Compiles by JAX's log and by the report, which counts what JAX compiles for a call on the side by number only."""
    reported = names_in_report(report)
    helpers = sum(function["helpers"]["compiles"] for function in report["functions"])
    differences = {n: [log[n], reported[n]] for n in sorted({*log, *reported}) if log[n] != reported[n]}
    return {
        "log": log.total(),
        "report": reported.total() + helpers,
        "helpers": helpers,
        "exact": log.total() == reported.total() + helpers and reported <= log,
        "differences": differences,
    }


def findings(report: dict) -> list[dict]:
    """What the report finds wrong, each place once, the most costly first."""
    places = report["places"]
    told = {(place["code"], place["message"]) for place in places}
    others = [finding for function in report["functions"] for finding in function["findings"]]
    others = [finding for finding in others if (finding["code"], finding["message"]) not in told]
    return sorted([*places, *others], key=lambda finding: -finding["lost_s"])


def attempt(program: dict, sources: pathlib.Path, folder: pathlib.Path) -> dict:
    """Run one program in all ways."""
    folder.mkdir(parents=True, exist_ok=True)
    checkout = sources / program["project"].split("/")[1]
    path = checkout / program["path"]
    name, text = f"{path.stem}.py", script_of(program, sources)
    imports = [path.parent, *(checkout / folder for folder in program.get("imports", []))]
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "MPLBACKEND": "Agg",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([*map(str, imports), os.environ.get("PYTHONPATH", "")]),
        "COLUMNS": "100",
        **program.get("environment", {}),
    }
    logging = environment | {"JAX_LOG_COMPILES": "1"}
    data, report = folder / "data.jitwatch", folder / "report.json"
    command = [name, *(str(argument) for argument in program.get("arguments", []))]
    jitwatch = [sys.executable, "-m", "jitwatch"]
    watch = [*jitwatch, "run", "--force", "-o", str(data), "--quiet", "--json", str(report)]
    script = name, text
    plain = run([sys.executable, *command], folder, script, "plain", logging)
    watched = run([*watch, *command], folder, script, "watched", environment)
    run([*jitwatch, "report", str(data)], folder, script, "report", environment)
    told = json.loads(report.read_text())
    compiles = compared(names_in_log(plain["err"]), told)
    plain["err"] = LOG_LINE.sub("", plain["err"])
    again = plain
    if (watched["out"], watched["err"]) != (plain["out"], plain["err"]):
        again = run([sys.executable, *command], folder, script, "again", environment)
    result = {
        "name": program["name"],
        "exit": [plain["exit"], watched["exit"]],
        "output": alike(watched["out"], plain["out"], again["out"]),
        "errors": alike(watched["err"], plain["err"], again["err"]),
        "compiles": compiles,
        "wall_s": [plain["wall_s"], watched["wall_s"]],
        "cpu_s": [plain["cpu_s"], watched["cpu_s"]],
        "findings": [
            {key: finding[key] for key in ("code", "call_site", "compiles", "lost_s", "evidence", "message", "advice")}
            for finding in findings(told)
        ],
        "notes": [note["message"] for note in told["notes"]],
    }
    fixed = folder / "fixed.py"
    if fixed.exists():
        after = run([sys.executable, *command], folder, (name, fixed.read_text()), "fixed", logging)
        result["fixed"] = {
            "exit": after["exit"],
            "output": alike(after["out"], plain["out"], again["out"]),
            "compiles": names_in_log(after["err"]).total(),
            "wall_s": [plain["wall_s"], after["wall_s"]],
            "cpu_s": [plain["cpu_s"], after["cpu_s"]],
        }
    return result


def say(result: dict) -> None:
    print(f"{result['name']}: exit {result['exit'][1]} (plain {result['exit'][0]}); ", end="")
    print(f"output {result['output']}; errors {result['errors']}")
    compiles = result["compiles"]
    aside = f", {compiles['helpers']} of them helpers" if compiles["helpers"] else ""
    exact = "name by name" if compiles["exact"] else f"BUT {compiles['differences']}"
    print(f"  compiles {compiles['log']} by JAX's log, {compiles['report']} in the report{aside}, {exact}")
    print(f"  seconds plain, watched: wall {result['wall_s']}, CPU {result['cpu_s']}")
    for finding in result["findings"]:
        print(f"  {finding['code']} {finding['evidence']} {finding['call_site']}: {finding['message']}")
        print(f"     {finding['compiles']} compiles, {finding['lost_s']:.2f} s; fix: {finding['advice']}")
    for note in result["notes"]:
        print(f"  note: {note}")
    if fixed := result.get("fixed"):
        print(f"  fixed: exit {fixed['exit']}, output {fixed['output']}, compiles {compiles['log']} -> ", end="")
        print(f"{fixed['compiles']}, seconds before, after: wall {fixed['wall_s']}, CPU {fixed['cpu_s']}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="?", type=pathlib.Path, help="folder with the checkouts")
    parser.add_argument("words", nargs="*", help="run only programs whose name contains one of these")
    work = pathlib.Path("public_programs")
    parser.add_argument("--work", type=pathlib.Path, default=work, help="folder for the results; public_programs here")
    parser.add_argument("--list", action="store_true", help="list the programs")
    args = parser.parse_intermixed_args()
    programs = tomllib.loads((HERE / "programs.toml").read_text())["program"]
    if args.list or args.sources is None:
        for p in programs:
            print(f"{p['name']}: {p['project']} {p['commit'][:12]} {p['path']} ({' '.join(p['packages'])})")
        return 0
    chosen = [p for p in programs if not args.words or any(word in p["name"] for word in args.words)]
    if not chosen:
        parser.error(f"no program's name contains {args.words}; --list lists them")
    wrong = 0
    for program in chosen:
        folder = args.work.resolve() / program["name"]
        result = attempt(program, args.sources.resolve(), folder)
        (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
        say(result)
        outputs = {result["output"], result["errors"]}
        wrong += len(set(result["exit"])) > 1 or not result["compiles"]["exact"] or "OTHER" in outputs
    print(f"{len(chosen)} programs, {wrong} not as under plain Python or not as JAX's log")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
