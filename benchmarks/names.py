"""Which share of the package's names are participles that stand for things ("told", "said", "found"), where a noun would say what they are.

What is counted: every name that the package binds, once per scope: functions and methods, classes, arguments (but `self` and `cls`),
fields and attributes assigned to, variables of modules, functions and comprehensions, names of imports and patterns introduced by `as`.
A name counts as a participle where it is one or where its last word is one: a regular form in -ed, or one of the irregular forms in
`IRREGULAR`. An adjective in front of its noun (`cached_tokens`) is none, since its last word is the noun.

What is not counted as a participle:

- states: names annotated `bool`, functions that return it, names bound to comparisons or to True or False, and members of enumerations;
- forms that are a verb or a noun as well (`VERBS`), where they name a function; `left` beside `right`, and `bound` after another word;
- former names that go on for one release (`former_attribute`);
- what convention calls so (`CONVENTIONS`), and what a framework calls so (`FRAMEWORKS`).

Run `python -m benchmarks.names` for one line of JSON, with `--list` for the names too, each with its place.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

IRREGULAR = frozenset(
    [
        "told",
        "said",
        "made",
        "found",
        "known",
        "given",
        "seen",
        "drawn",
        "taken",
        "kept",
        "left",
        "come",
        "came",
        "put",
        "written",
        "read",
        "meant",
        "heard",
        "held",
        "shown",
        "bound",
        "begun",
        "began",
        "gone",
        "lost",
        "sent",
        "spent",
        "spoke",
        "spoken",
        "broke",
        "broken",
        "built",
        "bought",
        "brought",
        "caught",
        "chosen",
        "cut",
        "dealt",
        "fed",
        "felt",
        "forgot",
        "forgotten",
        "gave",
        "got",
        "gotten",
        "grown",
        "hidden",
        "knew",
        "laid",
        "led",
        "lent",
        "met",
        "paid",
        "saw",
        "sold",
        "shut",
        "spun",
        "stood",
        "stuck",
        "struck",
        "taught",
        "thought",
        "took",
        "torn",
        "understood",
        "went",
        "won",
        "worn",
        "wrote",
        "thrown",
        "fallen",
        "fell",
        "risen",
        "drew",
        "cast",
        "unknown",
        "unread",
        "unseen",
        "untold",
        "unsent",
        "unheard",
        "unspent",
        "unsaid",
        "unmade",
        "unsold",
        "rewritten",
        "proven",
    ]
)
VERBS = frozenset(["bound", "cast", "cut", "put", "read", "saw", "come", "cut", "shut", "spoke"])
NOUNS = frozenset(
    [
        "need",
        "seed",
        "feed",
        "speed",
        "bed",
        "shed",
        "red",
        "hundred",
        "exceed",
        "proceed",
        "succeed",
        "embed",
        "breed",
        "weed",
        "deed",
        "reed",
        "creed",
        "indeed",
        "bleed",
    ]
)
CONVENTIONS = frozenset(
    ["cancelled", "closed", "completed", "created", "done", "ended", "failed", "finished", "started", "updated"]
)
FRAMEWORKS = frozenset(["serialized", "parsed", "initialized"])

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True, slots=True)
class Binding:
    """One name in one scope.

    Attributes:
        scope: Where it is bound, as `path:qualified.name`.
        name: The name.
        line: The line where it is bound first.
        function: Whether it names a function.
        state: Whether it is true or false.
        beside: The other names of its scope.
    """

    scope: str
    name: str
    line: int
    function: bool
    state: bool
    beside: frozenset[str]


def participle(binding: Binding) -> bool:
    """Whether the name is a participle that stands for a thing, as the module's docstring defines it."""
    words = [word.lower() for word in _WORD.findall(binding.name)]
    if not words or binding.state or words[0] in {"is", "has", "was", "can"}:
        return False
    last = words[-1]
    if last in CONVENTIONS or last in NOUNS or last in FRAMEWORKS:
        return False
    if last in VERBS and binding.function:
        return False
    if last == "bound" and len(words) > 1:
        return False
    if last == "left" and any(other.endswith("right") for other in binding.beside):
        return False
    return last in IRREGULAR or (last.endswith("ed") and len(last) > 3)


def bindings(path: Path) -> list[Binding]:
    """The names that a file binds, each once per scope."""
    collector = _Collector(str(path))
    collector.visit(ast.parse(path.read_text(encoding="utf-8")))
    beside = {scope: frozenset(names) for scope, names in collector.scopes.items()}
    return [
        Binding(scope, name, line, function, state, beside[scope])
        for scope, names in collector.scopes.items()
        for name, (line, function, state) in names.items()
    ]


class _Collector(ast.NodeVisitor):
    def __init__(self, path: str) -> None:
        self.scopes: dict[str, dict[str, tuple[int, bool, bool]]] = {}
        self._stack = [f"{path}:"]
        self._classes: list[str] = []
        self._enumeration = False

    def _bind(self, name: str, node: ast.AST, *, function: bool = False, state: bool = False, scope: str = "") -> None:
        if name in {"self", "cls", "_"}:
            return
        names = self.scopes.setdefault(scope or self._stack[-1], {})
        _, _, before = names.get(name, (0, False, False))
        names[name] = (names[name][0] if name in names else getattr(node, "lineno", 0), function, state or before)

    def _inside(self, name: str, node: ast.AST) -> None:
        self._stack.append(f"{self._stack[-1]}{'' if self._stack[-1].endswith(':') else '.'}{name}")
        self.generic_visit(node)
        self._stack.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, node)
        outer, self._enumeration = self._enumeration, any("Enum" in ast.unparse(base) for base in node.bases)
        self._classes.append(f"{self._stack[-1]}{'' if self._stack[-1].endswith(':') else '.'}{node.name}")
        self._inside(node.name, node)
        self._classes.pop()
        self._enumeration = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, node, function=True, state=_boolean(node.returns))
        self._inside(node.name, node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that NodeVisitor looks for

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inside(f"<lambda:{node.lineno}:{node.col_offset}>", node)

    def _comprehension(self, node: ast.expr) -> None:
        self._inside(f"<comprehension:{node.lineno}:{node.col_offset}>", node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_arguments(self, node: ast.arguments) -> None:
        positional = [*node.posonlyargs, *node.args]
        defaults: dict[str, ast.expr] = {
            argument.arg: value for argument, value in zip(reversed(positional), reversed(node.defaults), strict=False)
        }
        defaults |= {a.arg: value for a, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value is not None}
        for argument in (*positional, *node.kwonlyargs, node.vararg, node.kwarg):
            if argument is not None:
                state = _boolean(argument.annotation) or _truth(defaults.get(argument.arg))
                self._bind(argument.arg, argument, state=state)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._target(target, state=_truth(node.value))
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._target(node.target, state=_boolean(node.annotation) or _truth(node.value))
        if node.value is not None:
            self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._target(node.target, state=_truth(node.value))
        self.visit(node.value)

    def _target(self, target: ast.expr, *, state: bool) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, target, state=state or self._enumeration)
        elif isinstance(target, ast.Attribute):
            scope = self._classes[-1] if self._classes else self._stack[-1]
            self._bind(target.attr, target, state=state, scope=scope)
        else:
            self.visit(target)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, node)

    def visit_alias(self, node: ast.alias) -> None:
        if node.asname:
            self._bind(node.asname, node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)


def _boolean(annotation: ast.expr | None) -> bool:
    return annotation is not None and bool(re.fullmatch(r"bool( \| None)?|Array\[bool\]|Mask", ast.unparse(annotation)))


def _truth(value: ast.expr | None) -> bool:
    """Whether an expression is true or false by its form."""
    match value:
        case ast.Constant(value=constant):
            return isinstance(constant, bool)
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(map(_truth, values))
        case ast.Call(func=ast.Name(id="former_attribute")):
            return True
        case ast.Call(func=ast.Name(id="any" | "all" | "bool" | "isinstance" | "callable" | "hasattr")):
            return True
    return False


def collect(folder: Path) -> Iterator[Binding]:
    """The names of every file in a folder."""
    for path in sorted(folder.rglob("*.py")):
        yield from bindings(path)


def main() -> None:
    """Prints the share, by package as well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("uniscale_integrations"))
    parser.add_argument("--list", action="store_true", help="print every participle with its place")
    options = parser.parse_args()
    total, matches = Counter[str](), Counter[str]()
    for binding in collect(options.folder):
        package = Path(binding.scope.split(":", 1)[0]).relative_to(options.folder).parts[0]
        total[package] += 1
        if participle(binding):
            matches[package] += 1
            if options.list:
                print(f"{binding.scope}:{binding.line}: {binding.name}")
    packages = {package: [matches[package], count] for package, count in sorted(total.items())}
    share = matches.total() / max(total.total(), 1)
    print(json.dumps({"names": total.total(), "participles": matches.total(), "share": round(share, 4), "by_package": packages}))


if __name__ == "__main__":
    main()
