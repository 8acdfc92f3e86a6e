"""A cause program whose functions, classes, parameters and locals have other names, and its header along with it."""

import ast
import builtins
import re

from texts import LeftOut, Made, calls, last_name

FIXED = {"self", "cls", "CASE", *dir(builtins)}
NAMES_OF_ARGUMENTS = ("static_argnames", "donate_argnames")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# An escape, a quoted text, an attribute, a name: only the last of them is a name of the program's own.
PIECES = re.compile(r"\\.|'[^']*'|\"[^\"]*\"|\.\w+|[A-Za-z_]\w*")


def new_name(name: str) -> str:
    return f"{name}_renamed"


def in_text(text: str, names: set[str]) -> str:
    """A text or regular expression about the program, with its names renamed."""
    return PIECES.sub(lambda found: new_name(found[0]) if found[0] in names else found[0], text)


def parameters(node: ast.AST) -> list[str]:
    """The names of a function's parameters."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [each.arg for each in every if each is not None]


class Names:
    """Which names of a program can be others without changing what it does, as far as its text tells."""

    def __init__(self, tree: ast.Module) -> None:
        self.imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        self.takes: dict[str, set[str]] = {}
        """The parameters of each function by its name, and of each class by its own."""
        bound, fields, texts = set(), set(), set()
        named = {id(text) for call in calls(tree) for each in call.keywords if each.arg in NAMES_OF_ARGUMENTS
                 for text in ast.walk(each.value)}  # fmt: skip
        body = [node for node in tree.body if not _is_header(node)]
        for node in (each for statement in body for each in ast.walk(statement)):
            if isinstance(node, ast.ClassDef):
                bound.add(node.name)
                fields |= self._of_class(node)
            elif isinstance(node, FUNCTIONS):
                bound |= {getattr(node, "name", ""), *parameters(node)} - {""}
                self.takes.setdefault(getattr(node, "name", ""), set()).update(parameters(node))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                bound.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in named:
                texts.add(node.value)
        self.all = bound - fields - texts - self.imported - FIXED - self._by_keyword(tree)
        self.all = {name for name in self.all if not name.startswith("__") and name != "_"}

    def _of_class(self, node: ast.ClassDef) -> set[str]:
        """Names of a class's fields and methods, which are attributes elsewhere."""
        found = set()
        for each in node.body:
            if isinstance(each, ast.FunctionDef):
                found.add(each.name)
                if each.name == "__init__":
                    self.takes[node.name] = set(parameters(each))
            else:
                found |= {name.id for name in ast.walk(each) if isinstance(name, ast.Name) and _stores(name)}
        return found

    def renames_keyword(self, call: ast.Call, name: str) -> bool:
        """Whether a keyword of a call is a parameter of the program's own."""
        return name in self.takes.get(last_name(call.func), ())

    def _by_keyword(self, tree: ast.AST) -> set[str]:
        """Parameters that some call gives by keyword to what the text does not tell, or through a partial."""
        own = set().union(*self.takes.values()) if self.takes else set()
        found = set()
        for call in calls(tree):
            root = call.func
            while isinstance(root, ast.Attribute):
                root = root.value
            foreign = last_name(root) in self.imported and last_name(call.func) != "partial"
            names = {each.arg for each in call.keywords if each.arg} & own
            found |= {name for name in names if not foreign and not self.renames_keyword(call, name)}
        return found


def _is_header(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and last_name(node.targets[0]) == "CASE"


def _stores(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


class Renamer(ast.NodeTransformer):
    """Gives names of a program their new form wherever they stand as names."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def _new(self, name: str | None) -> str | None:
        return new_name(name) if name in self.names.all else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._new(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.generic_visit(node)
        node.arg = self._new(node.arg)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        for each in node.keywords:
            if each.arg in NAMES_OF_ARGUMENTS:
                for text in ast.walk(each.value):
                    if isinstance(text, ast.Constant):
                        text.value = self._new(text.value)
            elif each.arg and self.names.renames_keyword(node, each.arg):
                each.arg = self._new(each.arg)
        self.generic_visit(node)
        return node

    def _definition(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        node.name = self._new(node.name)
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_ExceptHandler = _definition

    def _declaration(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        node.names = [self._new(name) for name in node.names]
        return node

    visit_Global = visit_Nonlocal = _declaration


def renamed(source: str, case: dict) -> Made:
    """The program under other names, and what its header says in them."""
    tree = ast.parse(source)
    names = Names(tree)
    if not names.all:
        raise LeftOut("no name that can be another")
    line = _number_of_line(tree, source, case)
    made = ast.unparse(Renamer(names).visit(tree)) + "\n"
    new = {**case, "where": [in_text(each, names.all) for each in case["where"]]}
    for key in ("function", "repaired_as"):
        if case.get(key) in names.all:
            new[key] = new_name(case[key])
    match = dict(case.get("match", {}))
    if "text" in match:
        match["text"] = [in_text(each, names.all) for each in match["text"]]
    if line is not None:
        statements = [node for node in ast.walk(ast.parse(made)) if isinstance(node, ast.stmt)]
        match["line"] = made.splitlines()[statements[line].lineno - 1]
    return made, {**new, "match": match}


def _number_of_line(tree: ast.Module, source: str, case: dict) -> int | None:
    """Which of all statements begins on the line that a finding must name."""
    piece = case.get("match", {}).get("line")
    if piece is None:
        return None
    number = max(n for n, line in enumerate(source.splitlines(), 1) if piece in line)
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    at = [n for n, node in enumerate(statements) if node.lineno <= number <= node.end_lineno]
    return max(at, key=lambda n: statements[n].lineno)
