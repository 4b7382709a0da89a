"""What the metadata of Locust tests mean, and when what was measured will do."""

import pathlib

import pytest

from flagger_common.payload import CanaryWebhookPayload
from flagger_loadtester import tasks
from flagger_loadtester.policy import guard
from flagger_loadtester.policy.scope import RefusedError, Scope
from flagger_loadtester.results.base import LoadResult
from flagger_loadtester.results.locust import Report
from flagger_loadtester.tasks import base, locust, locust_master, locust_plan

HOST = "http://podinfo-canary.test"
MASTER = "http://127.0.0.1:1"


def prepare(
    metadata: dict[str, str], options: locust.Options | None = None, kind: str = "locust"
) -> base.Work:
    payload = CanaryWebhookPayload(
        name="podinfo", namespace="test", metadata={"host": HOST} | metadata
    )
    return locust.make(options or locust.Options())[kind].prepare(payload)


def headless(metadata: dict[str, str], options: locust.Options | None = None) -> locust.Headless:
    work = prepare(metadata, options)
    assert isinstance(work, locust.Headless)
    return work


def refusal(metadata: dict[str, str], options: locust.Options | None = None) -> str:
    with pytest.raises(base.TaskError) as caught:
        prepare(metadata, options)
    return str(caught.value)


def test_one_type_is_waited_for() -> None:
    known = tasks.kinds("", 60.0, inline=False)
    assert not known["locust"].blocking
    assert known["locust-test"].blocking


def test_flags_say_where_tests_run_and_what_hooks_may_bring() -> None:
    payload = CanaryWebhookPayload(metadata={"host": HOST})
    known = tasks.kinds(MASTER, 60.0, inline=False)
    assert isinstance(known["locust"].prepare(payload), locust_master.Distributed)
    inline = CanaryWebhookPayload(metadata={"host": HOST, "locustfile": "import locust"})
    assert tasks.kinds("", 60.0, inline=True)["locust"].prepare(inline).label.startswith("locust ")
    with pytest.raises(base.TaskError, match="inline locustfiles are not allowed"):
        tasks.kinds("", 60.0, inline=False)["locust"].prepare(inline)


def test_defaults() -> None:
    work = headless({})
    assert work.label == "locust http://podinfo-canary.test, 10 users, 1m0s"
    plan = locust_plan.Plan(HOST, 10, 10.0, 60, 1.0, None, log_output=False, return_output=False)
    assert work.plan == plan
    assert work.script.arguments == ("--paths", "/")
    assert work.script.path.is_file()


def test_everything() -> None:
    work = headless(
        {
            "users": "4",
            "spawnRate": "0.5",
            "runTime": "90500ms",
            "failRatio": "0.01",
            "p95": "500ms",
            "path": "/a, /b?c=d",
            "tags": "fast,login",
            "excludeTags": "slow",
            "logCmdOutput": "true",
            "returnCmdOutput": "true",
        }
    )
    plan = locust_plan.Plan(HOST, 4, 0.5, 91, 0.01, 0.5, log_output=True, return_output=True)
    assert work.plan == plan
    paths, tags = ("--paths", "/a,/b?c=d"), ("--tags", "fast", "login", "--exclude-tags", "slow")
    assert work.script.arguments == (*paths, *tags)


def test_results_that_decide_are_strict_and_logged() -> None:
    work = prepare({}, kind="locust-test")
    assert isinstance(work, locust.Headless)
    assert work.plan.fail_ratio == 0
    assert work.log_output


@pytest.mark.parametrize(
    ("timeout", "wanted", "seconds"), [(3600, "2h", 3580), (60, "1m", 40), (5, "1m", 1)]
)
def test_a_test_is_cut_to_the_limit_of_its_task(timeout: float, wanted: str, seconds: int) -> None:
    work = headless({"runTime": wanted}, locust.Options(timeout=timeout))
    assert work.plan.run_time == seconds


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"host": ""}, 'host is "", expected a URL, say http://podinfo-canary.test'),
        ({"host": "podinfo"}, 'host is "podinfo", expected a URL'),
        ({"host": "file:///etc"}, 'host is "file:///etc", expected a URL'),
        ({"host": "http://a b"}, 'host is "http://a b", expected a URL'),
        ({"host": "http://[::1"}, 'host is "http://[::1", expected a URL'),
        ({"host": "http://a:99999"}, 'host is "http://a:99999", expected a URL'),
        ({"users": "0"}, 'users is "0", expected a whole number above zero'),
        ({"users": "1.5"}, 'users is "1.5", expected a whole number above zero'),
        ({"spawnRate": "0"}, 'spawnRate is "0", expected a number above zero'),
        ({"spawnRate": "inf"}, 'spawnRate is "inf", expected a number above zero'),
        ({"runTime": "60"}, 'runTime is "60", expected a duration above zero, say 1m30s'),
        ({"runTime": "0s"}, 'runTime is "0s", expected a duration above zero, say 1m30s'),
        ({"failRatio": "nan"}, 'failRatio is "nan", expected a number from 0 to 1'),
        ({"failRatio": "5"}, 'failRatio is "5", expected a number from 0 to 1'),
        ({"p95": "-1s"}, 'p95 is "-1s", expected a duration above zero, say 500ms'),
        ({"path": "token"}, 'path is "token", expected paths, say /,/token'),
        ({"path": "/a b"}, 'path is "/a b", expected paths, say /,/token'),
        ({"tags": "-f"}, 'tags is "-f", expected words, say slow,login'),
        ({"locustfile": "x"}, "locustfile cannot be given: inline locustfiles are not allowed"),
        ({"locustfile": "x", "file": "/x.py"}, "locustfile cannot be given: file is given as well"),
        ({"file": "/x.py", "path": "/"}, "path cannot be given: a locustfile knows its paths"),
        ({"expectWorkers": "2"}, "expectWorkers cannot be given: -locust-master is not set"),
    ],
)
def test_metadata_are_checked(change: dict[str, str], text: str) -> None:
    assert refusal(change).startswith(text)


def test_the_host_is_required() -> None:
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata={"type": "locust"})
    with pytest.raises(base.TaskError, match=r"^host is "):
        tasks.kinds("", 60.0, inline=False)["locust"].prepare(payload)


def test_an_inline_locustfile() -> None:
    options = locust.Options(inline=True)
    assert headless({"locustfile": "import locust"}, options).script.text == "import locust"
    assert refusal({"locustfile": " "}, options).startswith('locustfile is ""')


def test_mounted_files_are_below_a_directory(tmp_path: pathlib.Path) -> None:
    mounted, outside = tmp_path / "mounted", tmp_path / "secret.py"
    (mounted / "..data").mkdir(parents=True)
    outside.touch()
    (mounted / "..data/load.py").touch()
    (mounted / "load.py").symlink_to("..data/load.py")  # as ConfigMaps are mounted
    (mounted / "out.py").symlink_to(outside)
    (mounted / "load.txt").touch()
    (mounted / "a,b.py").touch()
    options = locust.Options(directories=(mounted,))
    work = headless({"file": f"{mounted}/load.py", "tags": "x"}, options)
    assert work.script == locust.Script(mounted / "..data/load.py", arguments=("--tags", "x"))
    names = ("out.py", "../secret.py", "load.txt", "a,b.py", "missing.py", "", "a\0.py")
    for name in names:
        text = f"{mounted}/{name}"
        assert refusal({"file": text}, options) == (
            f'file is "{text}", expected a .py file without commas below {mounted}'
        )
    assert refusal({"file": str(outside)}).endswith("below no directory: none is configured")


def test_targets_are_checked() -> None:
    def check(host: str, namespace: str) -> None:
        raise base.TaskError(f"{host} is not in {namespace}")

    for master in ("", MASTER):
        text = refusal({}, locust.Options(check_target=check, master=master))
        assert text == f"{HOST} is not in test"


def test_what_differs_is_another_test() -> None:
    same = [headless({"users": "2"}).identity, headless({"users": "2"}).identity]
    others = [headless({}).identity, headless({"users": "2", "path": "/a"}).identity]
    assert len({*same, *others}) == 3


@pytest.mark.parametrize("key", ["locustfile", "file", "path", "tags", "excludeTags"])
def test_a_master_has_its_own_locustfile(key: str) -> None:
    options = locust.Options(inline=True, master=MASTER)
    text = f"{key} cannot be given: the Locust master has its locustfile mounted"
    assert refusal({key: "/x.py"}, options) == text


def test_both_types_share_the_master() -> None:
    types = locust.make(locust.Options(master=MASTER))
    payload = CanaryWebhookPayload(metadata={"host": HOST, "expectWorkers": "3"})
    works = [kind.prepare(payload) for kind in types.values()]
    masters = {work.master for work in works if isinstance(work, locust_master.Distributed)}
    assert len(masters) == 1
    assert refusal({"expectWorkers": "0"}, locust.Options(master=MASTER)) == (
        'expectWorkers is "0", expected a whole number above zero'
    )


GOOD = LoadResult(requests=400, failures=4, rate=40.0, percentiles={"95": 0.5})


@pytest.mark.parametrize(
    ("report", "limits", "complaint"),
    [
        (Report(GOOD), {"failRatio": "0.01", "p95": "500ms"}, ""),
        (Report(GOOD), {"failRatio": "0"}, "4 of 400 requests failed, 1.0%; the limit is 0.0%"),
        (
            Report(GOOD),
            {"p95": "400ms"},
            "the 95th percentile of latency is 500ms; the limit is 400ms",
        ),
        (
            Report(GOOD),
            {"failRatio": "0", "p95": "400ms"},
            "4 of 400 requests failed, 1.0%; the limit is 0.0%; "
            "the 95th percentile of latency is 500ms; the limit is 400ms",
        ),
        (
            Report(LoadResult(requests=1, failures=0, rate=1.0)),
            {"p95": "1s"},
            "the 95th percentile was not measured",
        ),
        (Report(LoadResult(requests=0, failures=0, rate=0.0)), {}, "no request was made"),
        (Report(GOOD, exceptions=("x (2 times)",)), {}, "the locustfile raised x (2 times)"),
    ],
)
def test_complaints(report: Report, limits: dict[str, str], complaint: str) -> None:
    assert headless(limits).plan.complaint(report) == complaint


@pytest.fixture
def judge(tmp_path: pathlib.Path) -> guard.Guard:
    """A policy with files in `tmp_path`, five workers and a minute at most."""
    return guard.build(Scope("", files=(tmp_path,), concurrency=5, duration=60.0), 3600.0, "")


def strict(judge: guard.Guard, **metadata: str) -> base.Work:
    known = tasks.kinds("", 3600.0, inline=False)
    metadata = {"host": "http://podinfo-canary.test", "users": "5"} | metadata
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata=metadata)
    return known["locust"].strict(payload, judge)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"host": "http://podinfo.prod"}, "host not allowed: podinfo.prod"),
        ({"host": "http://169.254.169.254"}, "host not allowed: 169.254.169.254"),
        ({"users": "6"}, "users not allowed: 6, the most are 5"),
    ],
)
def test_strict_mode_refuses_what_the_policy_does(
    judge: guard.Guard, change: dict[str, str], text: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        strict(judge, **change)
    assert str(caught.value).startswith(text)


def test_strict_mode_has_its_own_files_and_limits(
    judge: guard.Guard, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "load.py"
    file.write_text("")
    work = strict(judge, file=str(file), runTime="1h")
    assert isinstance(work, locust.Headless)
    assert (work.script.path, work.plan.run_time) == (file, 60)
    assert work.confinement is judge.confinement
    with pytest.raises(base.TaskError, match=r"^file is "):
        strict(judge, file=__file__)
