"""Names of files that hold on other machines and in other checkouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitwatch._compare.definition_files import file_namer


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src" / "deep").mkdir(parents=True)
    for name in ("src/deep/train.py", "train.py"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(("place", "name"), [
    ("{project}/src/deep/train.py:41", "src/deep/train.py"), ("{project}/gone.py:1", "gone.py"),
    ("{project}/.venv/lib/python3.11/site-packages/equinox/_jit.py:7", "equinox/_jit.py"),
    ("/usr/lib/python3/dist-packages/flax/x.py:7", "flax/x.py"),
    ("/ci/checkout/src/deep/train.py:3", "src/deep/train.py"), ("/ci/checkout/train.py:3", "train.py"),
    ("/ci/checkout/other/file.py:3", "other/file.py"), ("/ci/../project/train.py:3", "train.py"),
    ("/file.py:3", "/file.py"),
    ("C:\\ci\\src\\deep\\train.py:3", "src/deep/train.py"), ("D:\\a\\b\\c.py:3", "b/c.py"),
    ("src/train.py:3", "src/train.py"), ("<string>:1", "<string>"), ("train.py", "train.py"), ("", ""),
    ("/x/a\x1b\n.py:2", "x/a\\x1b\\n.py"),
])  # fmt: skip
def test_file_has_a_stable_name(place: str, name: str, project: Path) -> None:
    assert file_namer(str(project))(place.format(project=project)) == name
