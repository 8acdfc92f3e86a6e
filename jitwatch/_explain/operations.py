"""Which operations a program is made of, whatever their order: the sign of one that was only put together otherwise."""

from __future__ import annotations

import hashlib
import re

_VALUE = re.compile(r"%\w+(?:#\d+)?(?::\d+)?")
DIGEST_CHARACTERS = 20


def operations_of(text: str) -> str:
    """A digest of the operations of a program's text with their types and constants, in no order.

    Two programs that differ in it do not compute the same; two that differ in their order alone most often do, such as
    those of a loop over a set, whose order changes from process to process.
    """
    lines = sorted(_VALUE.sub("%", line).strip() for line in text.splitlines())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGEST_CHARACTERS]
