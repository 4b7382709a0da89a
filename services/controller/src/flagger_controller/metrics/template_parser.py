"""Query templates, part three: the parser (metrics.md 7.3); pure."""

from collections.abc import Collection
from typing import Final

from flagger_controller.metrics import template_tokens as tokens
from flagger_controller.metrics import template_tree as tree
from flagger_controller.metrics.template_functions import FUNCTIONS, LAZY
from flagger_controller.metrics.template_tokens import Fault, Part, Token

_BRANCHES: Final = ("if", "with", "range")
_ENDS: Final = ("end", "else")
_WORDS: Final = {"true": True, "false": False, "nil": None}
_DEEPEST: Final = 50
"""Nested blocks or parentheses; a template must not exhaust our stack."""


def parse(source: str, functions: Collection[str]) -> tree.Tree:
    """The tree of a template.

    Args:
        source: the template.
        functions: names that may be called; the variables of queries are functions too.

    Raises:
        Fault: the template cannot be read.
    """
    parser = _Blocks(source, functions)
    body, end = parser.nodes(())
    if end is not None:
        raise Fault(end.place, f"unexpected {{{{{end.text}}}}}")
    return tree.Tree(body, parser.defined)


class _Blocks:
    """Builds nodes from parts; knows which variables are in scope."""

    def __init__(self, source: str, functions: Collection[str]) -> None:
        self._parts = tokens.split(source)
        self._functions = functions
        self._scope: list[str] = ["$"]
        self._depth = 0
        self._place = 0
        self._loops = 0
        self._pending: list[Token] | None = None
        self.defined: dict[str, tuple[tree.Node, ...]] = {}

    def nodes(self, ends: tuple[str, ...]) -> tuple[tuple[tree.Node, ...], Token | None]:
        """Nodes up to one of the ending words, and that word."""
        found: list[tree.Node] = []
        for part in self._parts:
            self._place = part.place
            if part.action is None:
                if part.text:
                    found.append(tree.Text(part.text))
                continue
            word = part.action[0] if part.action else Token("name", "", part.place, spaced=True)
            if word.kind == "name" and word.text in _ENDS:
                self._pending = list(part.action[1:])
                return tuple(found), word
            found.extend(self._node(word, part))
        if ends:
            raise Fault(self._place, "unexpected EOF")
        return tuple(found), None

    def _node(self, word: Token, part: Part) -> list[tree.Node]:
        rest = list(part.action or ())[1:]
        if word.kind == "name" and word.text in _BRANCHES:
            return [self._branch(word, rest)]
        if word.kind == "name" and word.text in ("define", "block", "template"):
            return self._named(word, rest)
        if word.kind == "name" and word.text in ("break", "continue"):
            if not self._loops:
                raise Fault(word.place, f"{{{{{word.text}}}}} outside {{{{range}}}}")
            return [tree.Jump(word.text)]
        return [tree.Output(self._pipe(list(part.action or ()), part.place, "command"))]

    def _branch(self, word: Token, rest: list[Token]) -> tree.Branch:
        self._enter(word.place)
        mark = len(self._scope)
        pipe = self._pipe(rest, word.place, word.text)
        self._loops += word.text == "range"
        body, end = self.nodes(_ENDS)
        self._loops -= word.text == "range"
        otherwise: tuple[tree.Node, ...] = ()
        if end is not None and end.text == "else":
            del self._scope[mark + len(pipe.names) * pipe.declares :]
            otherwise = self._otherwise(word, end)
        del self._scope[mark:]
        self._depth -= 1
        return tree.Branch(word.text, pipe, body, otherwise)

    def _otherwise(self, word: Token, end: Token) -> tuple[tree.Node, ...]:
        pending, self._pending = self._pending or [], None
        if pending and pending[0].text == word.text and word.text != "range":
            return (self._branch(pending[0], pending[1:]),)
        if pending:
            raise Fault(end.place, f"unexpected {pending[0].text} in {{{{else}}}}")
        nodes, last = self.nodes(_ENDS)
        if last is not None and last.text == "else":
            raise Fault(last.place, "expected end; found {{else}}")
        return nodes

    def _named(self, word: Token, rest: list[Token]) -> list[tree.Node]:
        if not rest or rest[0].kind != "string":
            raise Fault(word.place, f"missing name in {word.text} clause")
        name = str(tokens.literal(rest[0]))
        pipe = self._pipe(rest[1:], word.place, word.text) if len(rest) > 1 else None
        if word.text == "template":
            return [tree.Include(name, pipe, word.place)]
        self._enter(word.place)
        scope, self._scope = self._scope, ["$"]
        self.defined[name], end = self.nodes(_ENDS)
        self._scope = scope
        self._depth -= 1
        if end is not None and end.text == "else":
            raise Fault(end.place, f"unexpected {{{{else}}}} in {word.text} clause")
        return [tree.Include(name, pipe, word.place)] if word.text == "block" else []

    def _enter(self, place: int) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Fault(place, "too many nested blocks")

    def _pipe(self, action: list[Token], place: int, context: str) -> tree.Pipe:
        return _Pipes(action, place, self._functions, self._scope, context).parse()


class _Pipes:
    """Builds one pipeline from its tokens."""

    def __init__(
        self,
        action: list[Token],
        place: int,
        functions: Collection[str],
        scope: list[str],
        context: str,
    ) -> None:
        self._tokens = action
        self._at = 0
        self._place = place
        self._functions = functions
        self._scope = scope
        self._context = context
        self._depth = 0

    def parse(self) -> tree.Pipe:
        names, declares = self._declaration()
        pipe = self._pipeline()
        if self._at < len(self._tokens):
            raise self._error(f"unexpected {self._tokens[self._at].text}")
        if declares:
            self._scope.extend(names)
        return tree.Pipe(pipe.commands, self._place, names, declares)

    def _declaration(self) -> tuple[tuple[str, ...], bool]:
        texts = [token.text for token in self._tokens[:4]]
        kinds = [token.kind for token in self._tokens[:4]]
        count = 0
        if kinds[:1] == ["variable"] and texts[1:2] in ([":="], ["="]):
            count = 1
        elif kinds[:1] == ["variable"] and texts[1:2] == [","] and texts[3:4] in ([":="], ["="]):
            count = 3
        if not count:
            return (), True
        if count > 1 and self._context != "range":
            raise self._error("too many declarations")
        self._at = count + 1
        names, declares = tuple(texts[:count:2]), texts[count] == ":="
        for name in names:
            if not declares and name not in self._scope:
                raise self._error(f'undefined variable "{name}"')
        return names, declares

    def _pipeline(self) -> tree.Pipe:
        commands = [self._command()]
        while self._take("|"):
            commands.append(self._command())
        for command in commands[1:]:
            first = command.operands[0]
            if not isinstance(first, tree.Call | tree.Chain | tree.Variable | tree.Dot):
                raise self._error("non executable command in pipeline")
        return tree.Pipe(tuple(commands), self._place)

    def _command(self) -> tree.Command:
        place, operands = self._here, []
        while self._at < len(self._tokens) and self._tokens[self._at].text not in ("|", ")"):
            operands.append(self._operand())
        if not operands:
            raise self._error(f"missing value for {self._context}")
        return tree.Command(tuple(operands), place)

    def _operand(self) -> tree.Operand:
        token = self._tokens[self._at]
        self._at += 1
        operand = self._start(token)
        keys = [token.text[1:]] if token.kind == "field" else []
        while self._at < len(self._tokens):
            following = self._tokens[self._at]
            if following.kind != "field" or following.spaced:
                break
            keys.append(following.text[1:])
            self._at += 1
        return tree.Chain(operand, tuple(keys)) if keys else operand

    def _start(self, token: Token) -> tree.Operand:
        match token.kind:
            case "string" | "number" | "char":
                return tree.Literal(tokens.literal(token))
            case "field":
                return tree.Dot()
            case "variable":
                if token.text not in self._scope:
                    raise Fault(token.place, f'undefined variable "{token.text}"')
                return tree.Variable(token.text)
            case "name":
                return self._word(token)
            case _:
                return self._sign(token)

    def _word(self, token: Token) -> tree.Operand:
        if token.text in _WORDS:
            return tree.Literal(_WORDS[token.text])
        if token.text not in self._functions:
            raise Fault(token.place, self._undefined(token.text))
        return tree.Call(token.text)

    def _undefined(self, name: str) -> str:
        known = ", ".join(sorted(set(self._functions) - {*FUNCTIONS, *LAZY}))
        return f'function "{name}" not defined; the variables are {known}'

    def _sign(self, token: Token) -> tree.Operand:
        if token.text == ".":
            return tree.Dot()
        if token.text != "(":
            raise Fault(token.place, f"unexpected {token.text} in {self._context}")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("too many nested parentheses")
        pipe = self._pipeline()
        self._depth -= 1
        if not self._take(")"):
            raise self._error("unclosed left paren")
        return pipe

    def _take(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at].text == sign
        self._at += found
        return found

    def _error(self, cause: str) -> Fault:
        return Fault(self._here, cause)

    @property
    def _here(self) -> int:
        """Where the next token is, or the action if there is none."""
        ahead = self._tokens[self._at : self._at + 1]
        return ahead[0].place if ahead else self._place
