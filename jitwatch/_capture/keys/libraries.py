"""The user's own paths and names for what libraries wrap in pytrees of their own: a table of small entries.

An entry that finds other than it expects, as in a version of the library that it does not know, leaves things as they
are. Nothing here imports a library.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jitwatch._capture import jax_internals
from jitwatch._capture.keys.static_parts import EXPANSIONS, Group, Pairs, children, is_static_field, treedef_group
from jitwatch._errors import pass_interrupt
from jitwatch._model import Tree

Node = Any


_library_classes: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()


def _library_class(kind: type) -> str:
    """The class of a library that `kind` is, or derives from, if the tables know it."""
    known = _library_classes.get(kind)
    if known is None:
        names = (f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__)
        known = next((name for name in names if name in _RENAMED or name in _AUX_PARTS), "")
        _library_classes[kind] = known
    return known


def renamed(kind: type, aux: Any, tree: Tree, node: Node) -> Tree:
    """The readable form of one pytree node with its children under the names that the user knows."""
    rename = _RENAMED.get(_library_class(kind))
    if rename is None:
        return tree
    try:
        return rename(tree, aux, node)
    except BaseException as error:  # another version of the library
        pass_interrupt(error)
        return tree


def aux_parts(kind: type, aux: Any, keys: Sequence[str]) -> Pairs:
    """The parts of a pytree node's static data by the names of the fields; `keys` are those of its children."""
    try:
        entry = _AUX_PARTS.get(_library_class(kind))
        found = entry(kind, aux) if entry else None
        if found is None and isinstance(aux, tuple) and dataclasses.is_dataclass(kind):
            found = _dataclass_fields(kind, aux, keys)
        if found is not None:
            return found
    except BaseException as error:  # another version of the library
        pass_interrupt(error)
    return children(aux)


def _dataclass_fields(kind: Any, aux: tuple[Any, ...], keys: Sequence[str]) -> Pairs | None:
    """`jax.tree_util.register_dataclass` and `flax.struct`: the values of the static fields, in order."""
    names = [field.name for field in dataclasses.fields(kind) if is_static_field(field)]
    if len(names) != len(aux):
        names = [field.name for field in dataclasses.fields(kind) if f".{field.name}" not in keys]
    return _zipped(names, aux) if len(names) == len(aux) else None


def _zipped(names: Any, values: Any) -> Pairs:
    return [(f".{name}", value) for name, value in zip(names, values, strict=True)]


def _partial(tree: Tree, aux: Any, node: Node) -> Tree:
    """`jax.tree_util.Partial`: the bound arguments, positional and by keyword."""
    return msgspec.structs.replace(tree, keys=(".args", ".keywords")) if len(tree.keys) == 2 else tree


# equinox


def _equinox_aux(kind: Any, aux: Any) -> Pairs | None:
    """Of a Module: what it wraps, then the values of its static fields."""
    names = [field.name for field in dataclasses.fields(kind) if is_static_field(field)]
    wrapped, *values = aux
    if len(names) != len(values):
        return None
    return _zipped(names, values) + ([] if type(wrapped).__name__ == "_Missing" else [(".__wrapped__", wrapped)])


# flax.nnx


def _graph_group(graphdef: Any) -> tuple[Group, list[str]]:
    """The attributes of a GraphDef as they are nested, and the path of each leaf of its state in order."""
    nodes, attributes = iter(graphdef.nodes), iter(graphdef.attributes)
    leaves: list[str] = []

    def walk(path: str) -> Group:
        node = next(nodes)
        name = type(node).__name__
        if name == "TreeNodeDef":
            paths = ("".join(_nnx_key(key, node.type) for key in keys) for keys, _ in node.path_index)
            leaves.extend(paths)
            return treedef_group(node.treedef)
        if name == "NodeDef":
            group = Group(node.type.__qualname__, [])
            for _ in range(node.num_attributes):
                key, attribute = next(attributes)
                step = _nnx_key(key, node.type)
                if type(attribute).__name__ == "NodeAttr":
                    group.children.append((step, walk(path + step)))
                elif type(attribute).__name__ == "LeafAttr":
                    leaves.append(path + step)
                elif not str(key).startswith("_pytree__"):
                    group.children.append((step, attribute.value))
            return Group(group.kind, [(step, part) for step, part in group.children if not _is_empty(step, part)])
        if name == "NodeRef":
            return Group(f"shared with node {node.index}", [])
        if name != "ArrayRefDef" and type(getattr(node, "array_refdef", None)).__name__ == "NodeRef":
            return Group(f"shared with node {node.array_refdef.index}", [])
        leaves.append(path)
        metadata = dict(getattr(node, "metadata", {}))
        return Group(getattr(node, "type", type(node)).__qualname__, [(f".{key}", metadata[key]) for key in metadata])

    if not graphdef.nodes and graphdef.num_leaves == 1:
        return Group("*", []), [""]
    group = walk("")
    if len(leaves) != graphdef.num_leaves:
        raise ValueError("a GraphDef of another form")
    return group, leaves


def _is_empty(step: str, part: Any) -> bool:
    return step == "._pytree__state" and isinstance(part, Group) and not part.children


def _nnx_key(key: Any, kind: type) -> str:
    return f"[{key!r}]" if not isinstance(key, str) or issubclass(kind, dict) else f".{key}"


def _graphdef_parts(value: Any) -> Pairs:
    return _graph_group(value)[0].children


def _node_states(tree: Tree, aux: Any, node: Node) -> Tree:
    """`nnx.jit`: a GraphDef, and a tuple of states that each are a list of values or a State."""
    definition, states = node.children()
    paths = iter(_graph_group(definition.node_data()[1])[1])
    renamed_states = []
    for state, shown in zip(states.children(), tree.children[1].children, strict=True):
        data = state.node_data()
        if data is not None and data[0] is list:
            shown = msgspec.structs.replace(shown, keys=tuple(next(paths) for _ in shown.keys))
        elif data is not None and data[0].__name__ == "FlatState":
            keys = tuple("".join(_nnx_key(key, object) for key in path) for path in data[1])
            shown = msgspec.structs.replace(shown, keys=keys)
        else:
            shown = _attributes_of_state(shown)
        renamed_states.append(shown)
    inner = msgspec.structs.replace(tree.children[1], keys=("",) * len(renamed_states), children=tuple(renamed_states))
    return msgspec.structs.replace(tree, keys=("", ""), children=(tree.children[0], inner))


def _tree_state(tree: Tree, aux: Any, node: Node) -> Tree:
    """`nnx.jit(graph_updates=False)`: the GraphDef is static data, the only child is a State."""
    (state,) = tree.children
    return msgspec.structs.replace(tree, keys=("",), children=(_attributes_of_state(state),))


def _attributes_of_state(tree: Tree) -> Tree:
    """A State as the object that it is the state of: `['w']` is its attribute `.w`."""
    if tree.kind not in ("State", "dict") and not tree.kind.startswith("State#"):
        return tree
    keys = tuple(f".{key[2:-2]}" if key[2:-2].isidentifier() and key[:1] == "[" else key for key in tree.keys)
    return msgspec.structs.replace(tree, keys=keys, children=tuple(map(_attributes_of_state, tree.children)))


def _tree_state_aux(kind: Any, aux: Any) -> Pairs | None:
    graphdef, *rest = aux
    return [("", graphdef), *((f"<{i}>", value) for i, value in enumerate(rest))]


def _variable(tree: Tree, aux: Any, node: Node) -> Tree:
    """A Variable is the leaf that it holds."""
    return msgspec.structs.replace(tree, keys=("",)) if tree.keys == (".value",) else tree


def _variable_aux(kind: Any, aux: Any) -> Pairs | None:
    return [(f".{name}", value) for name, value in aux]


def _nnx_module_aux(kind: Any, aux: Any) -> Pairs | None:
    """A module as a pytree: names of the children, names of the static attributes, their values."""
    _, names, values = aux
    return [pair for pair in _zipped(names, values) if not pair[0].startswith("._pytree__")]


_RENAMED: dict[str, Callable[[Tree, Any, Node], Tree]] = {
    "jax.tree_util.Partial": _partial,
    "flax.nnx.extract.NodeStates": _node_states,
    "flax.nnx.extract.TreeState": _tree_state,
    "flax.nnx.variablelib.Variable": _variable,
}
_AUX_PARTS: dict[str, Callable[[Any, Any], Pairs | None]] = {
    "equinox._module.Module": _equinox_aux,
    "equinox._module._module.Module": _equinox_aux,
    "flax.nnx.extract.TreeState": _tree_state_aux,
    "flax.nnx.variablelib.Variable": _variable_aux,
    "flax.nnx.pytreelib.Pytree": _nnx_module_aux,
}
EXPANSIONS[jax_internals.CALLABLE_SHIM] = lambda value: [("", value.fun)]  # the aux data of a `Partial`
EXPANSIONS["flax.nnx.graphlib.GraphDef"] = _graphdef_parts
EXPANSIONS["flax.nnx.graph.GraphDef"] = _graphdef_parts
