"""The pytest plugin: counts what tests compile, and fails those that compile more than their markers allow.

Loaded with every pytest where jitwatch is installed, so it imports nothing but pytest until an option, a fixture or a
marker of its own is used. `_pytest_watch.py` works where the tests run, `_pytest_session.py` where it is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jitwatch._pytest.options import Options
    from jitwatch._pytest.process import Watch, WatchedTest
    from jitwatch._pytest.session import Session

MARKERS = (
    "max_compiles(n, fn=None): fail the test if its call compiles more than n programs of jitted functions, or of the "
    "one that is given as a function or by its name (jitwatch)",
    "no_recompile: fail the test if its call compiles more than one program for the same jitted function (jitwatch)",
)
FIXTURES = ("jitwatch", "jitwatch_fresh")
_FLAGS = (
    ("jitwatch", "Count what JAX compiles from the start of the session on, and report it at the end."),
    ("jitwatch_update_baseline", "Write the baseline from this session; a part of the tests only raises it."),
    ("jitwatch_fail_on_increase", "Let pytest fail (status 1) if a function compiles more than in the baseline."),
    ("hide_jitwatch_summary", "Print no JITWATCH REPORT; tests still fail, and files are written."),
)
_VALUES = (
    ("jitwatch_top", "N", "Functions, tests and findings in the report, of each so many; 10 if left out."),
    (
        "jitwatch_report",
        "PATH",
        "Write a report of the session to a file: a page (.html), or the form of docs/json.md (.json).",
    ),
    ("jitwatch_baseline", "PATH", "Hold the session against a budget file, as `jitwatch check --budget PATH` does."),
)
PLUGIN = pytest.StashKey["Plugin"]()
_WATCH = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; each has an ini name too."""
    group = parser.getgroup("jitwatch", "recompilations of JAX (jitwatch)")
    for name, text in _FLAGS:
        group.addoption(f"--{name.replace('_', '-')}", dest=name, action="store_true", default=None, help=text)
        parser.addini(name, text, type="bool", default=False)
    for name, value, text in _VALUES:
        kind = int if value == "N" else str
        group.addoption(f"--{name.replace('_', '-')}", dest=name, metavar=value, type=kind, default=None, help=text)
        parser.addini(name, text, default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin to watch before a conftest.py or a test module imports jax."""
    if _wants_report(early_config, early_config.known_args_namespace):
        _begin_early(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, check the options, and begin."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    plugin = config.stash[PLUGIN] = Plugin(config)
    config.pluginmanager.register(plugin, "jitwatch-plugin")
    plugin.configure()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop watching."""
    watch = config.stash.get(_WATCH, None)
    if watch is not None:
        watch.stop()


@pytest.fixture
def jitwatch(request: pytest.FixtureRequest) -> WatchedTest:
    """What this test compiles from here on: `.compiles(name=None)`, `.traces(name=None)`, `.snapshot()`, `.report()`,
    `.findings()`. With JITWATCH_MODE=off the test is skipped, since nothing is counted.
    """
    return request.config.stash[PLUGIN].watched_test()


@pytest.fixture
def jitwatch_fresh(request: pytest.FixtureRequest) -> WatchedTest:
    """As `jitwatch`, with JAX's caches cleared before, so that nothing that another test compiled is there."""
    return request.config.stash[PLUGIN].watched_test(fresh=True)


def _ini_value(config: pytest.Config, name: str) -> Any:
    """The value of an ini name, whose name pytest leaves out where the value is not valid."""
    try:
        return config.getini(name)
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"jitwatch: the ini value {name} is not valid: {error}.") from None


def _wants_report(config: pytest.Config, given: Any) -> bool:
    """Whether an option or an ini name asks for the whole session to be watched."""
    if any(getattr(given, name, None) is not None for name in ("jitwatch", *(name for name, *_ in _VALUES))):
        return True
    return any(_ini_value(config, name) for name in ("jitwatch", "jitwatch_report", "jitwatch_baseline"))


def _begin_early(config: pytest.Config) -> None:
    """Begin to watch the process, unless that has begun, or jitwatch is off."""
    from jitwatch import _faults
    from jitwatch._pytest.process import Watch, is_off

    if _WATCH not in config.stash:
        config.stash[_WATCH] = _faults.contain("beginning to watch tests", Watch, is_off(), default=None)


class Plugin:
    """The plugin in one process: worker of xdist, controller, or the only one."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_worker = hasattr(config, "workerinput")
        self.options: Options | None = None
        self._session: Session | None = None

    def configure(self) -> None:
        """Read the options, and begin where they ask for it."""
        if self._asks():
            from jitwatch._pytest.options import read_options

            self.options = read_options(self._config, check=not self._is_worker)
            if self.options.watch:
                self.watch()

    def _asks(self) -> bool:
        names = [name for name, *_ in (*_FLAGS, *_VALUES)]
        return any(self._config.getoption(name) is not None or _ini_value(self._config, name) for name in names)

    def watch(self) -> Watch | None:
        """What watches this process, begun where it was not; None where jitwatch is off, or failed to begin."""
        _begin_early(self._config)
        watch: Watch | None = self._config.stash[_WATCH]
        if watch is not None and not self._config.pluginmanager.is_registered(watch):
            self._config.pluginmanager.register(watch, "jitwatch-watch")
        return watch

    def watched_test(self, *, fresh: bool = False) -> WatchedTest:
        """What a fixture gives to a test."""
        watch = self.watch()
        if watch is None or watch.is_off:
            pytest.skip("jitwatch is off (JITWATCH_MODE or [tool.jitwatch] mode), so nothing is counted")
        return watch.fresh_test() if fresh else watch.watched_test()

    @property
    def session(self) -> Session:
        """Where the reports of all tests come together; made when there is something to take."""
        if self._session is None:
            from jitwatch._pytest.options import read_options
            from jitwatch._pytest.session import Session

            self._session = Session(self.options or read_options(self._config, check=False))
        return self._session

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin where a test asks for it with a fixture or a marker; refuse markers that say nothing valid."""
        if not any(map(_uses_jitwatch, items)):
            return
        from jitwatch._pytest.process import read_markers

        try:
            read_markers(items)
            self.watch()
        except pytest.UsageError as error:
            if not self._is_worker:
                raise
            # A worker of xdist cannot end the session with an error of the user's, only with one of xdist's.
            self._config.pluginmanager.register(_Refusal(str(error)), "jitwatch-refusal")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> None:
        """Hide jitwatch's own frames in the text of a failure; `--full-trace` shows them."""
        for entry in () if call.excinfo is None else call.excinfo.traceback:
            names = entry.frame.f_globals
            if str(names.get("__name__", "")).startswith("jitwatch."):
                names["__tracebackhide__"] = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take from a report what the test compiled, wherever it ran."""
        if not self._is_worker and (hasattr(report, "jitwatch") or report.when == "???"):
            from jitwatch import _faults

            _faults.contain("taking the report of a test", self.session.take, report, default=None)

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Name the tests that failed for their markers."""
        details = getattr(report, "jitwatch", None)
        if report.when == "call" and report.failed and details and details.get("problem"):
            return "failed", "J", "RECOMPILE PROBLEMS"
        return None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Know of a worker of xdist."""
        if self.options is not None and self.options.watch:
            self.session.worker_began(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist counted."""
        handed = (getattr(node, "workeroutput", None) or {}).get("jitwatch")
        if handed:
            from jitwatch import _faults

            _faults.contain("taking what a worker counted", self.session.worker_ended, node.gateway.id, handed,
                            default=None)  # fmt: skip

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what this worker counted; in the reporting process, write the files."""
        watch: Watch | None = self._config.stash.get(_WATCH, None)
        if watch is None and self._session is None:
            return
        from jitwatch import _faults

        if watch is not None and self._is_worker:
            _faults.contain("handing over", watch.hand_over, session, default=None)
        elif not self._is_worker:
            _faults.contain("the end of the session", self.session.finish, session, watch, default=None)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the report."""
        if self._session is not None:
            from jitwatch import _faults

            _faults.contain("the report of the session", self._session.print, terminalreporter, default=None)


class _Refusal:
    """Fails each test that uses jitwatch, before it runs."""

    def __init__(self, message: str) -> None:
        self._message = message

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if _uses_jitwatch(item):
            pytest.fail(self._message, pytrace=False)


def _uses_jitwatch(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    keywords = item.keywords
    return any(name in names for name in FIXTURES) or "max_compiles" in keywords or "no_recompile" in keywords
