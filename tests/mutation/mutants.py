"""Small mistakes that somebody could make in a source file: each a change of one expression or statement."""

import ast
import copy
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CONFUSED = {
    "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "argmax": "argmin", "sum": "mean",
    "mean": "sum", "any": "all", "all": "any", "zeros_like": "ones_like", "ones_like": "zeros_like", "floor": "ceil",
    "round": "floor", "sorted": "list", "cumsum": "cumprod", "first": "last", "last": "first", "encode": "decode",
}  # fmt: skip
UNTOUCHED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)  # messages are not behaviour


class Mutant(NamedTuple):
    """One mistake."""

    path: str  # of the file, from the root of the project
    kind: str  # of the change: the name of the function below that makes it
    line: int
    was: str  # the piece of source
    now: str
    start: int  # where the piece is, in bytes
    stop: int
    number: int  # among equal changes of the file

    @property
    def id(self) -> str:
        """The same wherever the piece moves in its file, unless an equal piece comes or goes before it.

        So what is known of a mistake is kept with its statement, and holds for that statement alone.
        """
        said = f"{self.path}|{self.was}|{self.now}|{self.number}"
        return hashlib.sha256(said.encode("utf-8")).hexdigest()[:12]

    def apply(self, source: bytes) -> bytes:
        """The source with the mistake in it."""
        return source[: self.start] + self.now.encode("utf-8") + source[self.stop :]


def mutants(path: str, source: bytes) -> list[Mutant]:
    """Every mistake of the table below that can be made in this source."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[Mutant] = []
    met: dict[tuple[str, str], int] = {}
    for kind, node, now in _changes(ast.parse(source)):
        start, stop = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        was = source[start:stop].decode("utf-8")
        now = f"({now})" if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Slice) else now
        met[was, now] = met.get((was, now), -1) + 1
        found.append(Mutant(path, kind, node.lineno, was, now, start, stop, met[was, now]))
    return found


def compiles(source: bytes) -> bool:
    """Whether it is Python at all: a few changes are not, such as an option that comes before a place."""
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _changes(tree: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
    """(kind, node, what stands in its place) for the whole tree, without docstrings, annotations and messages."""
    for node in _behaviour(tree):
        for make in MISTAKES.get(type(node), ()):
            for changed in make(node):
                yield make.__name__.strip("_"), node, ast.unparse(ast.fix_missing_locations(changed))


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, UNTOUCHED):
        return
    yield node
    skipped = {"annotation", "returns", "decorator_list"} | ({"bases"} if isinstance(node, ast.ClassDef) else set())
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and name not in skipped and not docstring:
                yield from _behaviour(child)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _other_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for i, op in enumerate(node.ops):
        yield _with(node, ops=[*node.ops[:i], COMPARED[type(op)](), *node.ops[i + 1 :]])


def _other_computation(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in COMPUTED and not _says_text(node):
        yield _with(node, op=COMPUTED[type(node.op)]())
    if isinstance(node.op, ast.MatMult | ast.Sub):
        yield _with(node, left=node.right, right=node.left)


def _says_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or _is(side, str) for side in (node.left, node.right))


def _other_assignment(node: ast.AugAssign) -> Iterator[ast.AST]:
    yield ast.Assign([node.target], node.value)
    if type(node.op) in COMPUTED:
        yield _with(node, op=COMPUTED[type(node.op)]())


def _one_condition_less(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    for i in range(len(node.values)):
        rest = node.values[:i] + node.values[i + 1 :]
        yield _with(node, values=rest) if len(rest) > 1 else rest[0]


def _without_sign(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _other_constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 if value else 1.0)


def _option_forgotten(node: ast.Call) -> Iterator[ast.AST]:
    for i in range(len(node.keywords)):
        yield _with(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])


def _arguments_swapped(node: ast.Call) -> Iterator[ast.AST]:
    if len(node.args) > 1 and not any(isinstance(argument, ast.Starred) for argument in node.args[:2]):
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _other_function(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in CONFUSED:
        yield _with(node, func=_with(node.func, id=CONFUSED[node.func.id]))
    if isinstance(node.func, ast.Attribute) and node.func.attr in CONFUSED:
        yield _with(node, func=_with(node.func, attr=CONFUSED[node.func.attr]))


def _other_slice(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is not None and not _is(bound, int):
            yield _with(node, **{name: ast.BinOp(bound, ast.Add(), ast.Constant(1))})
            yield _with(node, **{name: None})


def _opposite_condition(node: ast.IfExp) -> Iterator[ast.AST]:
    yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))


def _left_out(node: ast.Expr | ast.Assign) -> Iterator[ast.AST]:
    """A call whose result is not used, or something written into an array, a table or an object."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if called or isinstance(target, ast.Subscript | ast.Attribute):
        yield ast.Pass()


def _left_out_change(_node: ast.AugAssign) -> Iterator[ast.AST]:
    yield ast.Pass()


def _is(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, kind)


MISTAKES = {
    ast.Compare: (_other_comparison,),
    ast.BinOp: (_other_computation,),
    ast.AugAssign: (_other_assignment, _left_out_change),
    ast.BoolOp: (_one_condition_less,),
    ast.UnaryOp: (_without_sign,),
    ast.Constant: (_other_constant,),
    ast.Call: (_option_forgotten, _arguments_swapped, _other_function),
    ast.Slice: (_other_slice,),
    ast.IfExp: (_opposite_condition,),
    ast.Expr: (_left_out,),
    ast.Assign: (_left_out,),
}
