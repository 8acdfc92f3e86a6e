"""The errors and warnings that users can catch."""


class JitwatchError(Exception):
    """Something the user can mend: an option, a file, a request that cannot be met. The message says what to do."""


JitwatchError.__module__ = "jitwatch"
