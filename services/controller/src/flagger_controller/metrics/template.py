"""The query template language: Go's text/template without data (metrics.md 7.2 and 7.3).

Users' MetricTemplates are Go templates, so this is a small interpreter of that language. The
variables of a query are functions without arguments, a missing key is an error, and values go
into the query as they are. Templates come from users: there is nothing in here that reaches
outside, and work and output have limits.
"""

import functools
from collections.abc import Mapping
from typing import Final

from flagger_controller.errors import ConfigError
from flagger_controller.metrics import template_parser
from flagger_controller.metrics import template_tree as tree
from flagger_controller.metrics.template_functions import FUNCTIONS, LAZY, truth
from flagger_controller.metrics.template_tokens import Fault
from flagger_controller.metrics.template_values import Value, ValueFault, show, type_name
from flagger_controller.metrics.variables import Variables

_MOST_STEPS: Final = 10_000
_MOST_OUTPUT: Final = 64 * 1024
_DEEPEST: Final = 50


class TemplateError(ConfigError):
    """A template cannot be read or filled in; the text names line, column and cause."""

    def __init__(self, where: str, cause: str) -> None:
        super().__init__(f"template: {where}: {cause}")


def render(source: str, variables: Variables) -> str:
    """Fill in a query template.

    Args:
        source: the template.
        variables: what it may name; see `variables.of`.

    Raises:
        TemplateError: the template cannot be read, names something that does not exist, or does
            too much.
    """
    try:
        parsed = _parse(source, frozenset(variables))
        return _Interpreter(parsed, variables).run()
    except Fault as fault:
        raise TemplateError(_where(source, fault.place), str(fault)) from fault
    except RecursionError:
        raise TemplateError(_where(source, 0), "nested too deeply") from None


def _where(source: str, place: int) -> str:
    line = source.count("\n", 0, place) + 1
    column = place - source.rfind("\n", 0, place)
    return f"line {line}, column {column}"


@functools.lru_cache(maxsize=512)
def _parse(source: str, names: frozenset[str]) -> tree.Tree:
    return template_parser.parse(source, {*names, *FUNCTIONS, *LAZY})


class _Jump(Exception):
    """Leaves the body of a range, as `break` or `continue`."""


class _Interpreter:
    """One run of one template."""

    def __init__(self, parsed: tree.Tree, variables: Variables) -> None:
        self._tree = parsed
        self._variables = variables
        self._output: list[str] = []
        self._size = 0
        self._steps = 0
        self._depth = 0

    def run(self) -> str:
        self._walk(self._tree.body, None, {"$": None})
        return "".join(self._output)

    def _walk(self, nodes: tuple[tree.Node, ...], dot: Value, scope: dict[str, Value]) -> None:
        for node in nodes:
            match node:
                case tree.Text(text):
                    self._write(text, 0)
                case tree.Output(pipe):
                    value = self._pipe(pipe, dot, scope)
                    if not pipe.names:
                        self._write(show(value), pipe.place)
                case tree.Branch():
                    self._branch(node, dot, scope)
                case tree.Include():
                    self._include(node, dot, scope)
                case tree.Jump(kind):
                    raise _Jump(kind)

    def _write(self, text: str, place: int) -> None:
        self._output.append(text)
        self._size += len(text)
        if self._size > _MOST_OUTPUT:
            raise Fault(place, f"the query is longer than {_MOST_OUTPUT} characters")

    def _branch(self, node: tree.Branch, dot: Value, scope: dict[str, Value]) -> None:
        inner = _Scope(scope)
        value = self._pipe(node.pipe, dot, inner)
        if node.kind == "range":
            self._range(node, value, dot, inner)
        elif truth(value):
            self._walk(node.body, value if node.kind == "with" else dot, inner)
        else:
            self._walk(node.otherwise, dot, inner)

    def _range(self, node: tree.Branch, value: Value, dot: Value, scope: dict[str, Value]) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise Fault(node.pipe.place, f"range can't iterate over {show(value)}")
        if not value:
            self._walk(node.otherwise, dot, scope)
            return
        names = node.pipe.names
        for key in sorted(value):
            inner = _Scope(scope)
            bound = (value[key],) if len(names) == 1 else (key, value[key])
            inner.update(zip(names, bound, strict=False))
            try:
                self._walk(node.body, value[key], inner)
            except _Jump as jump:
                if str(jump) == "break":
                    return

    def _include(self, node: tree.Include, dot: Value, scope: dict[str, Value]) -> None:
        body = self._tree.defined.get(node.name)
        if body is None:
            raise Fault(node.place, f'template "{node.name}" not defined')
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Fault(node.place, "exceeded maximum template depth")
        value = self._pipe(node.pipe, dot, scope) if node.pipe else None
        self._walk(body, value, {"$": value})
        self._depth -= 1

    def _pipe(self, pipe: tree.Pipe, dot: Value, scope: dict[str, Value]) -> Value:
        value: Value = None
        for index, command in enumerate(pipe.commands):
            final = (value,) if index else ()
            try:
                value = self._command(command, final, dot, scope)
            except ValueFault as fault:
                raise Fault(command.place, str(fault)) from fault
        if pipe.names and pipe.declares:
            scope.update(dict.fromkeys(pipe.names, value))
        elif pipe.names:
            for name in pipe.names:
                _assign(scope, name, value)
        return value

    def _command(
        self, command: tree.Command, final: tuple[Value, ...], dot: Value, scope: dict[str, Value]
    ) -> Value:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise ValueFault("the template does too much")
        first, *rest = command.operands
        if isinstance(first, tree.Call):
            return self._call(first.name, tuple(rest), final, dot, scope)
        if rest or final:
            raise ValueFault("can't give argument to non-function")
        return self._operand(first, dot, scope)

    def _call(
        self,
        name: str,
        arguments: tuple[tree.Operand, ...],
        final: tuple[Value, ...],
        dot: Value,
        scope: dict[str, Value],
    ) -> Value:
        if name in LAZY:
            return self._lazy(name, arguments, final, dot, scope)
        values = (*(self._operand(each, dot, scope) for each in arguments), *final)
        if name in self._variables:
            if values:
                raise ValueFault(f"wrong number of args for {name}: want 0 got {len(values)}")
            return self._variables[name]
        return FUNCTIONS[name](*values)

    def _lazy(
        self,
        name: str,
        arguments: tuple[tree.Operand, ...],
        final: tuple[Value, ...],
        dot: Value,
        scope: dict[str, Value],
    ) -> Value:
        if not arguments and not final:
            raise ValueFault(f"wrong number of args for {name}: want at least 1 got 0")
        value: Value = None
        for argument in arguments:
            value = self._operand(argument, dot, scope)
            if truth(value) == (name == "or"):
                return value
        return final[0] if final else value

    def _operand(self, operand: tree.Operand, dot: Value, scope: dict[str, Value]) -> Value:
        match operand:
            case tree.Literal(value):
                return value
            case tree.Dot():
                return dot
            case tree.Variable(name):
                return scope[name]
            case tree.Call(name):
                return self._call(name, (), (), dot, scope)
            case tree.Pipe():
                return self._pipe(operand, dot, scope)
            case tree.Chain(inner, keys):
                value = self._operand(inner, dot, scope)
                for key in keys:
                    value = _entry(value, key)
                return value
        raise AssertionError(operand)


class _Scope(dict[str, Value]):
    """Variables of a block; those of the blocks around it show through and can be assigned."""

    def __init__(self, outer: dict[str, Value]) -> None:
        super().__init__()
        self.outer = outer

    def __missing__(self, name: str) -> Value:
        return self.outer[name]


def _assign(scope: dict[str, Value], name: str, value: Value) -> None:
    while name not in scope and isinstance(scope, _Scope):
        scope = scope.outer
    scope[name] = value


def _entry(value: Value, key: str) -> Value:
    if value is None:
        raise ValueFault(
            f'nil data; no entry for key "{key}": the names of variables have no dot before them'
        )
    if not isinstance(value, Mapping):
        raise ValueFault(f"can't evaluate field {key} in type {type_name(value)}")
    if key not in value:
        raise ValueFault(
            f'map has no entry for key "{key}"; add it to templateVariables of the metric,'
            f' or write {{{{ index variables "{key}" }}}} where it may be missing'
        )
    return value[key]
