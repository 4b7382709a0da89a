"""Where we differ from the recordings on purpose: each with the sharp edge that it fixes.

Every function turns what upstream did into what we do. docs/compatibility.md has the same list
for people; S, T and M are the numbers of sharp edges in the specs, A those of the API unless it
says alerting.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from .normal import Words, patient, without_repeats

Object = dict[str, Any]

RECEIVERS = "http://127.0.0.1:28080"
"""Where the receivers were when the recordings were made."""

OTHERWISE = {
    "edge-fix-after-failed-promotion": "S1: the fix of a failed promotion is analysed and promoted",
    "service-target": "T13: copies of Services carry no allocated addresses, so they can be made",
}
"""Scenarios that end otherwise; their statuses and events are spelled out below."""

_COUNTERS = "canaryWeight={weight} iterations=0 failedChecks=0"
_CONDITIONS = {
    "Initialized": 'True/Initialized "Service initialization completed."',
    "Progressing": 'Unknown/Progressing "New revision detected, progressing canary analysis."',
    "Promoting": 'Unknown/Promoting "Canary analysis completed, starting primary rolling update."',
    "Finalising": 'Unknown/Finalising "Canary analysis completed, routing all traffic to primary."',
    "Succeeded": 'True/Succeeded "Canary analysis completed successfully, promotion finished."',
}


MEASURED_ON = {
    "ab-rollback-istio": "weighted-istio",
    "alerts-failure": "alerts-success",
    "alerts-severity": "alerts-success",
    "rollback-istio": "weighted-istio",
    "rollback-traefik": "weighted-traefik",
}
"""M19: upstream asks for the first metric only, as it fails each time. Who asked for all."""


def queries(name: str, recordings: Callable[[str], list[str]]) -> set[str]:
    peer = MEASURED_ON.get(name, name)
    return {query.replace(peer, name) for query in recordings(peer)}


def _line(phase: str, weight: int, applied: int, promoted: int, tail: str = "") -> str:
    return (
        f"phase={phase} {_COUNTERS.format(weight=weight)} Promoted={_CONDITIONS[phase]} "
        f"lastAppliedSpec=<hash-{applied}> lastPromotedSpec=<hash-{promoted}>{tail}"
    )


def statuses(name: str, recorded: list[str]) -> list[str]:
    match name:
        case "edge-fix-after-failed-promotion":
            kept = [_failed_promotion(line) for line in recorded[:-2]]
            tail = " trackedConfigs={}"
            return [
                *kept,
                _line("Progressing", 100, 3, 1, tail),
                _line("Promoting", 100, 3, 1, tail),
                _line("Finalising", 0, 3, 1, tail),
                _line("Succeeded", 0, 3, 3, tail),
            ]
        case "service-target":
            return [
                *recorded,
                _line("Initialized", 0, 1, 1),
                *(_line("Progressing", weight, 2, 1) for weight in (0, 25, 50)),
                _line("Promoting", 50, 2, 1),
                _line("Finalising", 0, 2, 1),
                _line("Succeeded", 0, 2, 2),
            ]
        case "promotion-fails":
            return [_failed_promotion(line) for line in recorded]
        case "failure-then-fix":
            # S3: a revision is applied when its run starts, not when it is first seen.
            return [line for line in recorded if "Failed" not in line or "<hash-3>" not in line]
        case "gate-promotion-ab" | "gate-promotion-canary":
            return _true_counters(recorded)
        case "revert" | "revert-istio":
            # A16: an own message for Terminating.
            old = "New Deployment detected, starting initialization."
            new = "Deployment canary deleted, reverting."
            first, *rest = recorded
            return [first, *(line.replace(old, new) for line in rest)]
        case "affinity-istio":
            # A15: no stray cookie for a primary without cookie name.
            return [re.sub(r" primarySessionAffinityCookie=\S+", "", line) for line in recorded]
        case _:
            return recorded


def _failed_promotion(line: str) -> str:
    """A17: an own message for a failed promotion."""
    return line.replace(
        "Canary analysis failed, Deployment scaled to zero.",
        "Promotion failed, primary not ready, traffic stays on Deployment.",
    )


def _true_counters(recorded: list[str]) -> list[str]:
    """S13: waiting for approval keeps weight and iterations."""
    result = []
    for line in recorded:
        if line.startswith("phase=WaitingPromotion") and "iterations=1 " in line:
            continue
        line = line.replace("canaryWeight=0 iterations=-1", "canaryWeight=50 iterations=0")
        if line not in result:
            result.append(line)
    return result


def events(name: str, recorded: list[str]) -> list[str]:
    lines = without_repeats(map(patient, map(_waiting, _by_name(name, recorded))))
    # S32: after a rollback hooks are told of in the phase that was entered.
    failing = any("Canary failed!" in line or "Promotion of" in line for line in lines)
    return [
        re.sub(r"^\w+ Normal Post-rollout", "Failed Normal Post-rollout", line) if failing else line
        for line in lines
    ]


def _waiting(line: str) -> str:
    """Alerting A14: a closed gate is told in the phase that is entered."""
    line = re.sub(r"^\w+ (Warning Halt \S+ advancement waiting for approval)", r"Waiting \1", line)
    promotion = r"^\w+ (Warning Halt \S+ advancement waiting for promotion approval)"
    return re.sub(promotion, r"WaitingPromotion \1", line)


def _by_name(name: str, recorded: list[str]) -> list[str]:
    match name:
        case "edge-fix-after-failed-promotion":
            return [
                *recorded[:-1],
                f"Progressing Normal New revision detected! Scaling up podinfo.{name}",
                *_promotion(name),
            ]
        case "service-target":
            return [
                recorded[0],
                f"Initialized Normal Initialization done! podinfo.{name}",
                f"Progressing Normal New revision detected! Scaling up podinfo.{name}",
                f"Progressing Normal Starting canary analysis for podinfo.{name}",
                f"Progressing Normal Advance podinfo.{name} canary weight 25",
                f"Progressing Normal Advance podinfo.{name} canary weight 50",
                *_promotion(name),
            ]
        case "deadline-canary":
            # S9: the deadline is told as the reason of the rollback.
            waiting = recorded[-2].removeprefix("Progressing Warning ")
            reason = f"Rolling back podinfo.{name} progress deadline exceeded {waiting}"
            return [*recorded[:-1], f"Progressing Warning {reason}", recorded[-1]]
        case "gate-promotion-ab":
            # S13: waiting for approval does not repeat an iteration.
            return [line for line in recorded if not line.startswith("WaitingPromotion Normal Adv")]
        case "gate-traffic-increase" | "hooks-all-canary":
            return _asked_before_increases_only(recorded)
        case "hooks-all-bluegreen":
            # S14: the promotion gate is asked once.
            again = recorded.index("Progressing Normal Routing all traffic to canary") + 1
            gate = "Progressing Normal Confirm-promotion check promote passed"
            return recorded[:again] + [line for line in recorded[again:] if line != gate]
        case "revert" | "revert-istio":
            return [
                line.replace("Initialized Normal Terminated", "Terminating Normal Terminated")
                for line in recorded
            ]
        case _:
            return recorded


def _promotion(name: str) -> list[str]:
    return [
        f"Progressing Normal Copying podinfo.{name} template spec to podinfo-primary.{name}",
        "Promoting Normal Routing all traffic to primary",
        f"Succeeded Normal Promotion completed! Scaling down podinfo.{name}",
    ]


def _asked_before_increases_only(recorded: list[str]) -> list[str]:
    """S17: at full weight the traffic gate is not asked again."""
    full = next(i for i, line in enumerate(recorded) if line.endswith("canary weight 50")) + 1
    about_traffic = ("traffic-increase check", "traffic increase approval")
    rest = [line for line in recorded[full:] if not any(text in line for text in about_traffic)]
    return recorded[:full] + rest


def hooks(name: str, recorded: list[str]) -> list[str]:
    match name:
        case "gate-traffic-increase":
            return recorded[:4]  # S17
        case "hooks-all-canary":
            last = max(i for i, call in enumerate(recorded) if call.startswith("more "))
            return recorded[:last] + recorded[last + 1 :]  # S17
        case "hooks-all-bluegreen":
            last = max(i for i, call in enumerate(recorded) if call.startswith("promote "))
            return recorded[:last] + recorded[last + 1 :]  # S14
        case _:
            return recorded


def alerts(name: str, recorded: dict[str, list[str]]) -> dict[str, list[str]]:
    told = {channel: [_coloured(text) for text in texts] for channel, texts in recorded.items()}
    if name == "gate-traffic-increase":  # S16: one alert when the gate closes
        slack = told["global-slack"]
        waiting = [text for text in slack if "traffic increase" in text]
        return {"global-slack": [*slack[:2], waiting[0], slack[-1]]}
    if name == "deadline-canary":  # S9, alerting A2: a rollback by the deadline alerts
        failed = json.loads(told["global-slack"][-1])
        attachment = failed["body"]["attachments"][0]
        attachment["color"] = "danger"
        attachment["fields"] = attachment["fields"][:1]
        attachment["text"] = (
            f"Progress deadline exceeded canary deployment podinfo.{name} not ready: waiting for "
            "rollout to finish: 0 of 1 (readyThreshold 100%) updated replicas are available"
        )
        text = json.dumps(failed, sort_keys=True)
        return {"global-slack": [*told["global-slack"], text]}
    if name == "edge-fix-after-failed-promotion":  # S1: the fix is released
        return {"global-slack": [*told["global-slack"], *_release(name, "Deployment", 50)]}
    if name == "service-target":  # T13: there is a release
        return {"global-slack": _whole(name, "Service")}
    if name == "restart-progressing":  # upstream was recorded without a chat
        return {"global-slack": _whole(name, "Deployment")}
    return told


def _whole(name: str, kind: str) -> list[str]:
    """The alerts of a first release and another one."""
    text = f"New {kind} detected, initialization completed."
    return [_slack(name, text, *_description(name, kind, 25)), *_release(name, kind, 25)]


def _release(name: str, kind: str, step: int) -> list[str]:
    """The alerts of a release that is promoted."""
    started = "New revision detected, progressing canary analysis."
    done = "Canary analysis completed successfully, promotion finished."
    return [_slack(name, started, *_description(name, kind, step)), _slack(name, done)]


def _description(name: str, kind: str, step: int) -> list[tuple[str, str]]:
    return [
        ("Target", f"{kind}/podinfo.{name}"),
        ("Failed checks threshold", "2"),
        ("Progress deadline", "600s"),
        ("Traffic routing", f"Weight step: {step} max: 50"),
    ]


def _slack(name: str, text: str, *fields: tuple[str, str]) -> str:
    attachment = {
        "color": "good",
        "author_name": f"podinfo.{name}",
        "text": text,
        "mrkdwn_in": ["text"],
        "fields": [
            {"title": title, "value": value, "short": False}
            for title, value in [("Cluster", "rig"), *fields]
        ],
    }
    body = {
        "channel": "general",
        "username": "flagger",
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [attachment],
    }
    return json.dumps({"body": body}, sort_keys=True)


def _coloured(text: str) -> str:
    """Alerting A6: a warning has a colour of its own. A10: a manual rollback is an error.

    All warnings were recorded with Slack; Google Chat says errors in its title.
    """
    if "waiting for approval." in text:
        return text.replace('"color": "good"', '"color": "warning"')
    if "manual webhook invoked" in text:
        return text.replace('"color": "good"', '"color": "danger"')
    if "Failed checks threshold reached" in text:
        return text.replace('"title": "Flagger"', '"title": "Flagger: error"')
    return text


def snapshots(name: str, recorded: list[Object]) -> list[Object]:
    shown = [_without_canary(item) for item in recorded]
    match name:
        case "gate-promotion-ab":  # S13
            waiting = [item for item in shown if "WaitingPromotion" in item["at"]]
            return [item for item in shown if item not in waiting or item is waiting[1]]
        case "gate-promotion-canary":  # S13
            return [
                {**item, "at": item["at"].replace("=0 iterations=-1", "=50 iterations=0")}
                for item in shown
            ]
        case "edge-scaled-to-zero-target":  # E: a run scales its target up again
            return _scaled_up_again(shown)
        case "mirror-istio":  # the mirror step has the status line of the step before it
            return [*shown[:2], _joined(*shown[2:4]), *shown[4:]]
        case "drift-edited":  # drift is repaired before anybody sees it
            return shown[:2]
        case _:
            return shown


def _without_canary(item: Object) -> Object:
    changes = {key: value for key, value in item["changes"].items() if "Canary." not in key}
    return {**item, "changes": changes}


def _joined(one: Object, other: Object) -> Object:
    return {**one, "changes": one["changes"] | other["changes"]}


def _scaled_up_again(shown: list[Object]) -> list[Object]:
    promoting = next(item for item in shown if "phase=Promoting" in item["at"])
    del promoting["changes"]["Deployment/podinfo-primary"]["spec"]["replicas"]  # T23
    shown[-1]["changes"]["Deployment/podinfo"] = {"spec": {"replicas": 0}}
    return shown


def series(name: str, recorded: dict[str, float]) -> dict[str, float]:
    if name in OTHERWISE:
        return {key: value for key, value in recorded.items() if "canary_total" in key}
    if name in ("revert", "revert-istio"):  # T4: no series of deleted canaries stay
        return {key: 0.0 for key in recorded if "canary_total" in key}
    if name == "kubernetes-forced-bluegreen":  # T13: counted as it is played
        return {key.replace('="canary"', '="blue-green"'): recorded[key] for key in recorded}
    if name == "gate-promotion-ab":  # S13: two ticks less
        return {key: 5.0 if "_count" in key else value for key, value in recorded.items()}
    if name == "gate-traffic-increase":  # S17: one tick less
        return {key: 5.0 if "_count" in key else value for key, value in recorded.items()}
    return recorded


def checksums(calls: list[str]) -> list[str]:
    """Calls with their checksums numbered as in recordings."""
    words = Words()
    return [
        re.sub(
            r'"checksum": "([^"]+)"',
            lambda found: f'"checksum": {json.dumps(words.name("checksum", found[1]))}',
            call,
        )
        for call in calls
    ]
