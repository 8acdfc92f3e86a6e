"""The IPython extension and what objects look like in a notebook: in a real kernel, and as HTML."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jax.numpy as jnp
import pytest

import jitwatch

CELLS = (
    "%load_ext jitwatch\nimport jax, numpy as np\nimport jitwatch",
    "%%jitwatch\n@jax.jit\ndef churn(x):\n    return x + 1\nfor n in (3, 5, 6, 9):\n    churn(np.ones(n))\n'the value'",
    "f = jitwatch.watched_jit(lambda x: x + 1)\nf(1.0)\nf",
    "f.cache_keys()[0]",
    "%%jitwatch\nraise ValueError('mine')",
    "%unload_ext jitwatch\n@jax.jit\ndef later(x):\n    return x\nlater(1)\n'later' in str(jitwatch.snapshot().functions)",
)
RUN = """
import json, sys, nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=300, kernel_name="python3", allow_errors=True).execute()
print(json.dumps([cell.outputs for cell in notebook.cells]))
"""


def html_of(outputs: list[Any]) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in outputs)


def test_magic_and_objects_in_a_real_kernel() -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")

    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(CELLS), capture_output=True, text=True, check=True
    )
    _, magic, function, key, failing, last = json.loads(done.stdout)

    assert magic[0]["data"]["text/plain"] == "'the value'"
    assert "f32[5]" in html_of(magic)
    assert "Remedy" in html_of(magic)
    assert "Cell In[2], line 6" in html_of(magic)  # as the cell is shown, with the line of the magic
    assert "line 2" in "".join(failing[0]["traceback"]) and "In[5]" in "".join(failing[0]["traceback"])
    assert "compile" in magic[-1]["data"]["text/plain"]
    assert "lambda at Cell In[" in html_of(function)
    assert "1 compile" in html_of(key)
    assert failing[0]["ename"] == "ValueError"
    assert "No time was spent" in html_of(failing)
    assert last[0]["data"]["text/plain"] == "False"


def test_objects_are_html_in_which_names_stay_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"

    def named(x: Any, values: Any) -> Any:
        return x + values[hostile]

    named.__name__ = named.__qualname__ = hostile
    f = jitwatch.watched_jit(named)
    with jitwatch.recording() as r:
        f(jnp.ones(3), {hostile: 1.0})
        f(jnp.ones(4), {hostile: 1.0})

    for one in (r, f, f.cache_keys()[0]):
        text = one._repr_html_()
        assert "&lt;img" in text
        assert "<img" not in text
        assert text.count("<style>") == 1


def test_an_empty_recording_and_an_uncalled_function_say_so() -> None:
    with jitwatch.recording() as r:
        pass

    assert "No time was spent" in r._repr_html_()
    assert "No time was spent" in jitwatch.watched_jit(lambda x: x)._repr_html_()
