"""What is printed from a recording, executed in a fresh process, makes every call of the recorded program a hit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]
RECORD = """
import jitwatch
from jitwatch._report.recording.declarations import declarations
with jitwatch.recording() as block:
    calls()
open("declared.py", "w").write(declarations(block.snapshot()))
"""
REPLAY = """
import json
import os
import re
import jitwatch
names = {}
exec(open("declared.py").read(), names)
lists = [value for name, value in names.items() if name.isupper()]
compiled = sum(f.warm_up(each, like=like() if callable(like) else like) for each in lists)
with jitwatch.recording() as block:
    calls()
(found,) = block.snapshot().functions
print(json.dumps([compiled, found.hits, found.misses, found.stages.compiles, found.stages.traces]))
"""
HEAD = """
import jax, jax.numpy as jnp, numpy as np
from jitwatch import watched_jit
like = None
"""
PROGRAMS = {
    "dict of arrays": (2, 4, """
@watched_jit
def f(batch):
    return batch["x"].sum() + batch["y"][0]

def calls():
    for n in (8, 4, 8, 8):
        f({"x": jnp.ones((n, 3)), "y": (jnp.full((2,), 1.0), jnp.ones(2, jnp.bfloat16), None)})
"""),
    "static arguments": (3, 4, """
from functools import partial

@partial(watched_jit, static_argnums=(1,), static_argnames=("mode", "sizes"))
def f(x, n, y=0, mode="a", sizes=()):
    return x * n

def calls():
    f(jnp.ones(3), 2), f(jnp.ones(3), 3, 1.5, mode="it's", sizes=(1, (2, "b"))), f(jnp.ones(3), 3, mode="b")
    f(jnp.ones(3), 2)
"""),
    "static argument by name, passed by position": (2, 2, """
@watched_jit(static_argnames="n")
def f(x, n, y):
    return x * n + y

def like():
    return (jnp.ones(3), 7, 1.0)

def calls():
    f(jnp.ones(3), 2, 2.0), f(jnp.ones(3), 3, 4.0)
""".replace("@watched_jit(", "@__import__('functools').partial(watched_jit, ")),
    "numpy and numbers": (4, 5, """
@watched_jit
def f(x, y):
    return x + y

def calls():
    f(np.ones(3), 1), f(np.ones(3, np.int8), True), f(np.float32(2), 2.0), f(np.ones((2, 2), jnp.bfloat16), 1j)
    f(np.zeros(3), 7)
"""),
    "typed keys": (2, 3, """
@watched_jit
def f(key):
    return jax.random.normal(key.reshape(-1)[0], (3,))

def calls():
    f(jax.random.key(1)), f(jax.random.split(jax.random.key(1), 3)), f(jax.random.key(2))
"""),
    "optimizer state": (2, 6, """
optax = __import__("optax")
from typing import NamedTuple

class TrainState(NamedTuple):
    params: dict
    opt_state: object
    step: jax.Array

optimizer = optax.adam(1e-3)

def start():
    params = {"w": jnp.ones((3, 1)), "b": jnp.zeros(1)}
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))

def loss(params, batch):
    return ((batch["x"] @ params["w"] + params["b"] - batch["y"]) ** 2).mean()

@__import__("functools").partial(watched_jit, donate_argnums=0)
def f(state, batch):
    grads = jax.grad(loss)(state.params, batch)
    updates, opt_state = optimizer.update(grads, state.opt_state)
    return TrainState(optax.apply_updates(state.params, updates), opt_state, state.step + 1)

def batch(n):
    return {"x": np.ones((n, 3), np.float32), "y": np.ones((n, 1), np.float32)}

def like():
    return (start(), batch(2))

def calls():
    state = start()
    for n in (8, 8, 5, 8, 8, 5):
        state = f(state, batch(n))
"""),
    "sharded arrays": (2, 2, """
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("d",))
placed = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d"))

@watched_jit
def f(state, n):
    return state["w"] * n

def like():
    return ({"w": jax.device_put(jnp.ones(4), placed)}, 1)

def calls():
    for size in (8, 16):
        f({"w": jax.device_put(jnp.ones(size), placed)}, size)
"""),
}  # fmt: skip


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE), "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_printed_declaration_makes_every_call_a_hit(name: str, tmp_path: Path) -> None:
    keys, calls, program = PROGRAMS[name]
    if name == "optimizer state":
        pytest.importorskip("optax")

    run(HEAD + program + RECORD, tmp_path)
    printed = run(HEAD + program + REPLAY, tmp_path)

    assert json.loads(printed) == [keys, calls, 0, 0, 0], (tmp_path / "declared.py").read_text()


def test_the_check_can_fail(tmp_path: Path) -> None:
    _, _, program = PROGRAMS["dict of arrays"]
    run(HEAD + program + RECORD, tmp_path)
    text = (tmp_path / "declared.py").read_text()
    (tmp_path / "declared.py").write_text(text.replace("(4, 3)", "(4, 5)"))

    assert json.loads(run(HEAD + program + REPLAY, tmp_path))[2:4] == [1, 1]


def test_programs_of_the_docs_run(tmp_path: Path) -> None:
    text = (PACKAGE / "docs" / "warm_up.md").read_text(encoding="utf-8")
    programs = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)

    run("\n".join(programs), tmp_path)

    assert len(programs) == 4
