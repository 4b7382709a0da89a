"""Dumps and hashes against upstream's library; the long way is api/takeover."""

import pytest

from flagger_controller.api.base import Object
from flagger_controller.targets import godump
from flagger_controller.targets.revision import is_upstream_hash


def part(value: Object, kind: str) -> str:
    return godump.dumped(value, kind)


def test_absent_fields_have_the_zero_values_of_their_types() -> None:
    assert part({}, "v1.KeyToPath") == (
        "(v1.KeyToPath){Key:(string) Path:(string) Mode:(*int32)<nil>}"
    )


def test_what_is_there_is_written_after_its_type() -> None:
    assert part({"key": "a", "path": "b", "mode": 256}, "v1.KeyToPath") == (
        "(v1.KeyToPath){Key:(string)a Path:(string)b Mode:(*int32)256}"
    )


def test_elements_have_no_type_of_their_own() -> None:
    assert part({"add": ["A", "B"]}, "v1.Capabilities") == (
        "(v1.Capabilities){Add:([]v1.Capability)[A B] Drop:([]v1.Capability)<nil>}"
    )


def test_empty_is_not_absent() -> None:
    empty = part({"matchLabels": {}, "matchExpressions": []}, "v1.LabelSelector")
    assert "MatchLabels:(map[string]string)map[]" in empty
    assert "MatchExpressions:([]v1.LabelSelectorRequirement)[]" in empty
    assert part({}, "v1.LabelSelector").count("<nil>") == 2


def test_maps_are_sorted() -> None:
    labels = {"matchLabels": {"b": "2", "a": "1", "é": "3"}}
    assert "map[a:1 b:2 é:3]" in part(labels, "v1.LabelSelector")


def test_embedded_structs_are_named_after_their_type() -> None:
    assert part({"httpGet": {"port": "http"}}, "v1.Probe").startswith(
        "(v1.Probe){ProbeHandler:(v1.ProbeHandler){Exec:(*v1.ExecAction)<nil> "
        "HTTPGet:(*v1.HTTPGetAction){Path:(string) "
        "Port:(intstr.IntOrString){Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)http}"
    )


@pytest.mark.parametrize(
    ("text", "number", "scale", "form", "kept"),
    [
        ("0", 0, 0, "DecimalSI", "0"),
        ("100m", 100, -3, "DecimalSI", "100m"),
        ("1", 1, 0, "DecimalSI", "1"),
        ("0.5", 5, -1, "DecimalSI", ""),
        ("1.5", 15, -1, "DecimalSI", ""),
        ("1000", 1000, 0, "DecimalSI", ""),
        ("-2k", -2, 3, "DecimalSI", "-2k"),
        ("1e9", 1, 9, "DecimalExponent", "1e9"),
        ("64Mi", 67108864, 0, "BinarySI", ""),
        ("3Gi", 3221225472, 0, "BinarySI", "3Gi"),
    ],
)
def test_quantities(text: str, number: int, scale: int, form: str, kept: str) -> None:
    dump = part({"requests": {"cpu": text}}, "v1.VolumeResourceRequirements")
    assert (
        f"cpu:{{i:(resource.int64Amount){{value:(int64){number} scale:(resource.Scale){scale}}} "
        "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} "
        f"s:(string){kept} Format:(resource.Format){form}}}"
    ) in dump


def test_fields_that_upstream_does_not_know_are_left_out() -> None:
    known: Object = {"spec": {"containers": [{"name": "a"}]}}
    newer: Object = {"spec": {"containers": [{"name": "a", "invented": 1}], "alsoNew": {}}}
    assert godump.hashed(known, "v1.PodTemplateSpec") == godump.hashed(newer, "v1.PodTemplateSpec")


def test_hashes_have_upstreams_form() -> None:
    hashes = {godump.hashed({"metadata": {"name": str(n)}}, "v1.PodTemplateSpec") for n in range(9)}
    assert len(hashes) == 9
    assert all(map(is_upstream_hash, hashes))
