"""The project's checks, one session each; `nox -l` lists them. Only `screenshots` changes files of the working tree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
OLDEST_PYTHON = "3.11"
OLDEST_JAX = next(d for d in PYPROJECT["project"]["dependencies"] if d.startswith("jax>=")).replace(">=", "==")
LINT = nox.project.dependency_groups(PYPROJECT, "lint")

IN_WHEEL = ("json", "page", "findings_page", "text", "store")
INSIDE = ("jax_internals*", "drop_in_calls", "drop_in_surface", "stages", "threads", "programs", "heal")

nox.options.sessions = ["lint", "types", "docs", "tests", "wheel", "browser"]
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # also under CI: a session without its Python is skipped and says so

if shutil.which("pyenv") and "PYENV_VERSION" not in os.environ:
    # pyenv puts a `pythonX.Y` on PATH for every version it has, which fails until that version is active: activate all.
    active, installed = (
        subprocess.run(["pyenv", *command], capture_output=True, text=True, check=True).stdout.split()
        for command in (["version-name"], ["versions", "--bare"])
    )
    os.environ["PYENV_VERSION"] = ":".join([*active, *installed])


def newest_python() -> str:
    for version in ("3.14", "3.13", "3.12"):
        if shutil.which(f"python{version}"):
            return version
    return "3.13"  # nox then skips the session and names the interpreter that it misses


def run_tests(session: nox.Session, *which: str) -> None:
    session.run("python", "-c", "import sys, jax; print(f'Python {sys.version.split()[0]}, JAX {jax.__version__}')")
    session.run("python", "-m", "pytest", "-n", "2", *which, *session.posargs)


@nox.session(python=OLDEST_PYTHON)
def lint(session: nox.Session) -> None:
    session.install(*LINT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(python=OLDEST_PYTHON)
def types(session: nox.Session) -> None:
    session.install("-e", ".", "pytest", *LINT)
    session.run("mypy")


@nox.session
@nox.parametrize(
    "python,jax",
    [
        nox.param(OLDEST_PYTHON, OLDEST_JAX, id="oldest"),
        nox.param(OLDEST_PYTHON, "jax", id="newest"),
        nox.param(newest_python(), "jax", id="newest-python"),
    ],
)
def tests(session: nox.Session, jax: str) -> None:
    """The tests on one JAX; arguments after `--` go to pytest, such as `-m slow` for the long files."""
    session.install("-e", ".[test]", jax)
    run_tests(session)


@nox.session
@nox.parametrize(
    "python,jax",
    [nox.param(OLDEST_PYTHON, OLDEST_JAX, id="oldest"), nox.param(newest_python(), "jax", id="newest-python")],
)
def inside(session: nox.Session, jax: str) -> None:
    """What rests on JAX's inside, on the oldest and the newest JAX; minutes, where `tests` takes long."""
    session.install("-e", ".[test]", jax)
    files = [str(file) for name in INSIDE for file in sorted(ROOT.glob(f"tests/jax/test_{name}.py"))]
    run_tests(session, "-m", "not benchmark", *files)


@nox.session(python=OLDEST_PYTHON)
def wheel(session: nox.Session) -> None:
    """Tests against the built wheel, in a copy of the project without the package's sources: is everything in it?"""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    copy = folder / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("jitwatch", ".*", "build", "dist"))
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), ".")
    (built,) = folder.glob("*.whl")
    session.install(f"{built}[test]")
    session.chdir(copy)
    session.run("python", "-c", "import jitwatch; assert 'site-packages' in jitwatch.__file__, jitwatch.__file__")
    run_tests(session, "tests/test_public_api.py", *(f"tests/unit/test_{name}.py" for name in IN_WHEEL))


@nox.session(python=OLDEST_PYTHON)
def browser(session: nox.Session) -> None:
    """The page in Chromium; the tests are skipped, and say so, where there is none."""
    session.install("-e", ".[test,browser]")
    session.run("python", "-m", "pytest", "-m", "slow", "-rs", "tests/test_page_browser.py", *session.posargs)


@nox.session(python=OLDEST_PYTHON)
def screenshots(session: nox.Session) -> None:
    """Make the pictures of the page in docs/pictures anew. Changes the working tree, so it is not run by default."""
    session.install("-e", ".[browser,examples]")
    session.run("python", "docs/pictures/make.py")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Every link from one of the project's Markdown pages to a file, and to a heading in it, has its target."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not target_exists(page, link)
    ]
    if broken:
        session.error("broken links:\n  " + "\n  ".join(broken))
    session.log(f"{len(pages)} pages, no broken link")


def target_exists(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
