"""The grammar against real shells: what passes means the same, what a shell would act on fails."""

import shlex
import subprocess

import hypothesis
import pytest
from hypothesis import strategies as st

from flagger_common.plan import Connector, Plan
from flagger_loadtester import grammar

# what argv cannot hold, and what JSON payloads cannot bring
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
METACHARACTERS = "$`<>*?[]{}()&;|\n~#!='\"\\ \ta1"


def shell(program: str, text: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a text whose commands are all `w`, which writes its arguments and a line end."""
    function = 'w() { for i; do printf "<%s>" "$i"; done; printf "\\n"; }\n'
    return subprocess.run([program, "-c", function + text], capture_output=True, check=False)


def render(plan: Plan) -> bytes:
    lines = [f"<{'><'.join(argv[1:])}>" if argv[1:] else "" for _, (argv,) in plan.steps]
    return "".join(f"{line}\n" for line in lines).encode()


@st.composite
def quoted(draw: st.DrawFn) -> str:
    """One word in any of the ways to quote it."""
    text = draw(TEXT)
    match draw(st.sampled_from(["single", "double", "mixed"])):
        case "single":
            return "'" + text.replace("'", "'\\''") + "'"
        case "double":
            return '"' + "".join(f"\\{c}" if c in '$`"\\' else c for c in text) + '"'
        case _:
            return shlex.quote(text) + draw(st.sampled_from(["", '""', "x", "\\;", "\\\n"]))


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(st.lists(st.lists(quoted(), max_size=4), min_size=1, max_size=3))
def test_quoted_words_are_those_of_sh(commands: list[list[str]]) -> None:
    text = " ; ".join(" ".join(["w", *words]) for words in commands)
    assert render(grammar.parse(text)) == shell("sh", text).stdout


@hypothesis.settings(max_examples=400, deadline=None)
@hypothesis.example(r'"\a\\\!"')
@hypothesis.example(r"a\!\a")
@hypothesis.given(st.text(METACHARACTERS, max_size=10))
@pytest.mark.parametrize("program", ["sh", "bash"])
def test_what_passes_means_the_same_to_shells(program: str, soup: str) -> None:
    """Whatever soup of metacharacters passes is plain words, to both shells."""
    try:
        plan = grammar.parse(f"w {soup}")
    except grammar.GrammarError:
        return
    hypothesis.assume(len(plan.steps) == 1 and len(plan.steps[0][1]) == 1)
    ended = shell(program, f"w {soup}")
    assert (ended.stdout, ended.returncode) == (render(plan), 0)


def argvs(text: str) -> list[list[tuple[str, ...]]]:
    return [list(pipeline) for _, pipeline in grammar.parse(text).steps]


def test_connectors() -> None:
    plan = grammar.parse("a 1 | b && c || d; e\n\nf;\n")
    assert plan.steps == (
        (Connector.ALWAYS, (("a", "1"), ("b",))),
        (Connector.ON_SUCCESS, (("c",),)),
        (Connector.ON_FAILURE, (("d",),)),
        (Connector.ALWAYS, (("e",),)),
        (Connector.ALWAYS, (("f",),)),
    )
    assert argvs("a |\n b &&\n\n c") == [[("a",), ("b",)], [("c",)]]


@pytest.mark.parametrize("text", ["", " \t", "\n\n", "\\\n"])
def test_an_empty_command_is_an_empty_plan(text: str) -> None:
    assert grammar.parse(text) == Plan()


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("a $x", "an expansion, '$'", 3),
        ('a "$x"', "an expansion, '$'", 4),
        ("a `b`", "a command substitution, '`'", 3),
        ('a "`b`"', "a command substitution, '`'", 4),
        ("a $(b)", "an expansion, '$'", 3),
        ("a <(b)", "a redirection, '<'", 3),
        ("a > b", "a redirection, '>'", 3),
        ("a 2>&1", "a redirection, '>'", 4),
        ("a *", "a pattern, '*'", 3),
        ("a b?", "a pattern, '?'", 4),
        ("a [b]", "a pattern, '['", 3),
        ("a {b,c}", "a brace, '{'", 3),
        ("(a)", "a subshell, '('", 1),
        ("a &", "a background command or redirection, '&'", 3),
        ("a & b", "a background command or redirection, '&'", 3),
        ("a |& b", "a background command or redirection, '&'", 3),
        ("A=b c", "an assignment", 1),
        ("A+=b", "an assignment", 1),
        ("a ~/b", "an expansion, '~'", 3),
        ("a b=~/c", "an expansion, '~'", 5),
        ("a #b", "a comment, '#'", 3),
        ("! a", "a control word, '!'", 1),
        ("a; if b", "a control word, 'if'", 4),
        ("i\\\nf b", "a control word, 'if'", 1),
        ("a ;; b", "';;'", 3),
        ("a &&", "nothing follows '&&'", 5),
        ("a |\n", "nothing follows '|'", 5),
        ("| a", "no command stands before '|'", 1),
        ("a; ; b", "no command stands before ';'", 4),
        ("a 'b", "a quote without its end", 3),
        ('a "b', "a quote without its end", 3),
        ("a \\", "a backslash at the end", 3),
        ("a '\0'", "a NUL character", 4),
    ],
)
def test_what_needs_a_shell_is_refused(text: str, what: str, at: int) -> None:
    with pytest.raises(grammar.GrammarError) as caught:
        grammar.parse(text)
    assert str(caught.value).startswith(f"{what} at character {at} of the command: ")


@pytest.mark.parametrize("text", ["a A=b", "'if' x", "\\if", "'A'=b", "a b~ c#d"])
def test_what_looks_special_and_is_not(text: str) -> None:
    assert argvs(text) == [[tuple(shlex.split(text))]]


def test_words_are_one_command() -> None:
    assert grammar.words("get 'a b'") == ("get", "a b")
    assert grammar.words("") == ()
    for text in ("a; b", "a | b"):
        with pytest.raises(grammar.GrammarError, match="one command"):
            grammar.words(text)


def test_large_texts_are_read_in_linear_time() -> None:
    assert len(argvs("'a' " * 60_000)[0][0]) == 60_000
