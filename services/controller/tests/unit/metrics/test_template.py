"""The query template language (metrics.md 7.3, conformance vector 15)."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.metrics.template import TemplateError, render

PIECES = [
    *("{{ ", " }}", "{{- ", " -}}", "(", ")", " | ", ".", ".a", ", ", " := ", " = ", "$x", "$"),
    *(" 1", " 2.5", ' "t"', " `r`", " 'c'", " name", " variables", " nil", " true", "\n", " "),
    *("{{ if true }}", "{{ range $k, $v := variables }}", "{{ with name }}", "{{ else }}"),
    *("{{ end }}", '{{ define "t" }}', '{{ template "t" . }}', "{{ break }}", "{{ name }}"),
    *(" index", " printf", " eq", " lt", " and", " slice", " len", " not", '"%d"', "{{/* */}}"),
]
NAMES: dict[str, Any] = {
    "name": "podinfo",
    "namespace": "test",
    "interval": "1m",
    "variables": {"a": "A", "a-b": "AB"},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{name}}", "podinfo"),
        ("{{ name }}", "podinfo"),
        (" \n{{- name -}} \n x", "podinfox"),
        ("a{{/* a }} comment */}}b", "ab"),
        ("a {{- /* trims */ -}} b", "ab"),
        ("{{ printf \"%s-x\" name }}", "podinfo-x"),
        ('{{ printf "%q %5d|%-4s|%05.1f %v%% %x" name 42 "a" 2.25 true "hi" }}',
         '"podinfo"    42|a   |002.2 true% 6869'),
        ('{{ printf "%d %s" name }}', "%!d(string=podinfo) %!s(MISSING)"),
        ('{{ printf "x" name 1 }}', "x%!(EXTRA string=podinfo, int=1)"),
        ("{{ variables.a }}", "A"),
        ('{{ index variables "a-b" }}', "AB"),
        ('{{ index variables "missing" }}', ""),
        ("{{ variables }}", "map[a:A a-b:AB]"),
        ("{{ range $k, $v := variables }}{{ $k }}={{ $v }};{{ end }}", "a=A;a-b=AB;"),
        ("{{ range $v := variables }}{{ $v }}{{ end }}", "AAB"),
        ("{{ range variables }}{{ . }},{{ else }}none{{ end }}", "A,AB,"),
        ("{{ range variables }}{{ . }}{{ break }}{{ end }}", "A"),
        ('{{ range $k, $v := variables }}{{ if eq $k "a" }}{{ continue }}{{ end }}{{ $v }}'
         "{{ end }}", "AB"),
        ("{{ $x := name }}{{ $x }}-{{ $x }}", "podinfo-podinfo"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ('{{ if eq name "podinfo" }}yes{{ else }}no{{ end }}', "yes"),
        ('{{ if eq name "x" "podinfo" }}yes{{ end }}', "yes"),
        ('{{ if false }}1{{ else if eq name "podinfo" }}2{{ else }}3{{ end }}', "2"),
        ("{{ with variables }}{{ .a }}{{ end }}", "A"),
        ('{{ with "" }}x{{ else }}empty{{ end }}', "empty"),
        ("{{ name | printf \"%s.%s\" namespace }}", "test.podinfo"),
        ("{{ name | len }}", "7"),
        ("{{ len variables }}", "2"),
        ("{{ (index variables \"a\") }}", "A"),
        ("{{ slice name 3 }}{{ slice name 0 3 }}{{ slice name }}", "infopodpodinfo"),
        ("{{ index name 0 }}", "112"),
        ("{{ and name \"\" }}|{{ or \"\" name }}|{{ not name }}", "|podinfo|false"),
        ("{{ or true variables.missing }}", "true"),
        ("{{ lt 1 2 }} {{ ge \"b\" \"a\" }} {{ ne 1 1 }} {{ le 2 1 }} {{ gt 2.5 1.5 }}",
         "true true false false true"),
        ("{{ print 1 2 \"a\" \"b\" 3 }}", "1 2a b3".replace(" b", "b")),
        ("{{ println name }}", "podinfo\n"),
        ("{{ html \"<a&'\" }}{{ js \"it's\" }}{{ urlquery \"a b&\" }}",
         "&lt;a&amp;&#39;it\\'sa+b%26"),
        ("{{ 0x1F }} {{ 1e3 }} {{ 'a' }} {{ `raw\\n` }} {{ \"t\\tab\" }}",
         "31 1000 97 raw\\n t\tab"),
        ("{{ nil | printf \"%v\" }}{{ . }}", "<no value><no value>"),
        ('{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" name }}', "<podinfo>"),
        ('{{ block "t" name }}[{{ . }}]{{ end }}', "[podinfo]"),
        ("rate(x{a=\"{{ name }}\"}[{{ interval }}])", 'rate(x{a="podinfo"}[1m])'),
        ("{ } }} {", "{ } }} {"),
        ("", ""),
    ],
)  # fmt: skip
def test_renders(template: str, text: str) -> None:
    assert render(template, NAMES) == text


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{{ variables.missing }}", 'map has no entry for key "missing"'),
        ("{{ variables.a-b }}", "bad character U+002D '-'"),
        ("{{ .Name }}", 'nil data; no entry for key "Name"'),
        ("{{ foo }}", 'function "foo" not defined'),
        ("{{ if false }}{{ foo }}{{ end }}", 'function "foo" not defined'),
        ("{{ $x }}", 'undefined variable "$x"'),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 'undefined variable "$x"'),
        ("{{ $x = 1 }}", 'undefined variable "$x"'),
        ("{{ name", "unclosed action"),
        ("{{ }}", "missing value for command"),
        ("{{ if }}x{{ end }}", "missing value for if"),
        ("{{ if true }}x", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ else }}", "unexpected {{else}}"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ('{{ "open }}', "unterminated quoted string"),
        ('{{ "\\N{BULLET}" }}', "bad literal"),
        ("{{ 'ab' }}", "unterminated quoted string"),
        ("{{ 1a }}", "bad character U+0061 'a'"),
        ("{{ 0x }}", "bad character U+0078 'x'"),
        ("{{ a\u00a0b }}", "bad character U+00A0"),
        ("{{ (name }}", "unclosed left paren"),
        ("{{ name ) }}", "unexpected )"),
        ("{{ name 1 }}", "wrong number of args for name: want 0 got 1"),
        ("{{ 1 2 }}", "can't give argument to non-function"),
        ("{{ name | 1 }}", "non executable command in pipeline"),
        ("{{ name.x }}", "can't evaluate field x in type string"),
        ('{{ index name "x" }}', "cannot index slice/array with type string"),
        ("{{ index name 99 }}", "index out of range: 99"),
        ("{{ index 1 2 }}", "can't index item of type int"),
        ("{{ index variables 1 }}", "value has type int"),
        ("{{ slice name 3 1 }}", "invalid slice index: 3 > 1"),
        ("{{ slice 1 1 }}", "can't slice item of type int"),
        ("{{ len 1 }}", "len of type int"),
        ("{{ not }}", "wrong number of args for not: want 1 got 0"),
        ("{{ lt 1 }}", "wrong number of args for lt: want 2 got 1"),
        ('{{ eq 1 "1" }}', "incompatible types for comparison"),
        ("{{ eq 1 }}", "missing argument for comparison"),
        ("{{ lt true false }}", "invalid type for comparison"),
        ("{{ call name }}", "non-function of type string"),
        ("{{ printf 1 }}", "expected string; got int"),
        ("{{ printf \"%2000d\" 1 }}", "at most 1000"),
        ("{{ range name }}x{{ end }}", "range can't iterate over podinfo"),
        ('{{ template "t" }}', 'template "t" not defined'),
        ("{{ template }}", "missing name in template clause"),
        ("{{ $a, $b := name }}", "too many declarations"),
        ('{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', "maximum template depth"),
        ("{{ if true }}" * 200 + "{{ end }}" * 200, "too many nested blocks"),
        ("{{ " + "(" * 200 + "1" + ")" * 200 + " }}", "too many nested parentheses"),
        ("x" * 70_000, "longer than 65536 characters"),
    ],
)  # fmt: skip
def test_fails_with_a_cause(template: str, cause: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(template, NAMES)
    assert cause in str(raised.value)
    assert re.match(r"template: line 1, column \d+: ", str(raised.value))


def test_work_is_limited() -> None:
    doubling = "".join(
        f'{{{{ define "t{n}" }}}}{{{{ template "t{n + 1}" 1 }}}}{{{{ template "t{n + 1}" 1 }}}}'
        "{{ end }}"
        for n in range(40)
    )
    source = doubling + '{{ define "t40" }}{{ end }}{{ template "t0" }}'
    with pytest.raises(TemplateError, match="does too much"):
        render(source, NAMES)


def test_depth_is_limited() -> None:
    nested = "{{ if true }}" * 45 + '{{ template "t" }}' + "{{ end }}" * 45
    source = f'{{{{ define "t" }}}}{nested}{{{{ end }}}}{{{{ template "t" }}}}'
    with pytest.raises(TemplateError, match=r"nested too deeply|maximum template depth"):
        render(source, NAMES)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_nothing_else_goes_wrong(source: str) -> None:
    with contextlib.suppress(TemplateError):
        assert isinstance(render(source, NAMES), str)


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("{{ foo }}", "line 1, column 4"),
        ("a\nb\n  {{ variables.missing }}", "line 3, column 6"),
        ("{{ if true }}\n{{ name |\n  printf 1 }}{{ end }}", "line 3, column 3"),
        ("a {{ print (index name\n99) }}", "line 1, column 13"),
        ("a\n{{ name", "line 2, column 1"),
        ("a\n{{ variables.a-b }}", "line 2, column 15"),
        ("{{ if true }}\nx", "line 2, column 2"),
        ("{{ if true }}\nx{{ else }}{{ else }}{{ end }}", "line 2, column 15"),
        ("\n{{ }}", "line 2, column 1"),
        ("{{ (name\n}}", "line 1, column 1"),
    ],
)
def test_errors_name_the_place(template: str, place: str) -> None:
    with pytest.raises(TemplateError, match=f"^template: {place}: "):
        render(template, NAMES)


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        (
            "{{ variables.team }}",
            'add it to templateVariables of the metric, or write {{ index variables "team" }}',
        ),
        ("{{ nmae }}", "the variables are interval, name, namespace, variables"),
        ("{{ .name }}", "the names of variables have no dot before them"),
        ("{{ variables.a-b }}", 'write {{ index variables "a-b" }} for a key that has one'),
    ],
)
def test_errors_say_what_to_do(template: str, remedy: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(template, NAMES)
    assert remedy in str(raised.value)


def test_documented_example() -> None:
    query = (
        "delta(max by (consumer_group) (kafka_consumer_current_offset"
        '{cluster="{{ variables.cluster }}"}[{{ interval }}]))'
    )
    with pytest.raises(TemplateError, match='map has no entry for key "cluster"'):
        render(query, NAMES)
    filled = render(query, {**NAMES, "variables": {"cluster": "prod"}})
    assert filled.endswith('{cluster="prod"}[1m]))')
