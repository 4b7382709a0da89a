"""What the real receivers check of a request, as their documentation has it, and what they answer.

Each function judges one request like its service: address, credentials, shape of the document.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from werkzeug import Request, Response

TOKEN: Final = "xoxb-1"
KEY: Final = "k"
_COLOURS: Final = ("good", "warning", "danger")
_LABEL: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True)
class Service:
    """A receiver: where it is, what an AlertProvider for it says, and how it answers."""

    path: str
    """Of the address."""
    judge: Callable[[Request], Response]
    listens: str = ""
    """Where it really listens, if that is not the path of the address."""
    spec: Mapping[str, Any] | None = None
    secret: Mapping[str, str] | None = None


def _document(request: Request) -> Any:
    if request.method != "POST" or request.mimetype != "application/json":
        return None
    return json.loads(request.data)


def _attachments(document: Any, colours: tuple[str, ...] | None = _COLOURS) -> bool:
    """Is this a message as Slack's legacy attachments have it?"""
    (found,) = document["attachments"]
    fields = all({"title", "value", "short"} == set(each) for each in found["fields"])
    coloured = found["color"] in colours if colours else found["color"].startswith("#")
    return coloured and fields and bool(found["text"])


def slack_hook(request: Request) -> Response:
    fine = _attachments(_document(request))
    return Response("ok") if fine else Response("invalid_payload", status=400)


def slack_bot(request: Request) -> Response:
    """Errors have the status 200."""
    error = ""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        error = "invalid_auth"
    elif _document(request)["channel"] != "deploys":
        error = "channel_not_found"
    elif not _attachments(_document(request)):
        error = "no_text"
    return Response(json.dumps({"ok": not error, "error": error}))


def teams_connector(request: Request) -> Response:
    document = _document(request)
    if document["@type"] != "MessageCard" or not document["summary"]:
        return Response("Summary or Text is required.", status=400)
    fine = re.fullmatch("[0-9A-F]{6}", document["themeColor"]) and document["sections"]
    return Response("1") if fine else Response("Bad payload", status=400)


def teams_workflow(request: Request) -> Response:
    """The trigger "When a Teams webhook request is received": adaptive cards only."""
    document = _document(request)
    (card,) = document["attachments"]
    fine = (
        document["type"] == "message"
        and card["contentType"] == "application/vnd.microsoft.card.adaptive"
        and card["content"]["type"] == "AdaptiveCard"
        and all(each["type"] in ("Container", "FactSet") for each in card["content"]["body"])
    )
    return Response(status=202) if fine else Response("TriggerInputSchemaMismatch", status=400)


def discord(request: Request) -> Response:
    fine = _attachments(_document(request))
    empty = {"message": "Cannot send an empty message", "code": 50006}
    return Response("ok") if fine else Response(json.dumps(empty), status=400)


def rocket(request: Request) -> Response:
    fine = _attachments(_document(request), None)
    return Response(json.dumps({"success": bool(fine)}), status=200 if fine else 400)


def google_chat(request: Request) -> Response:
    """Credentials are in the query, and unknown members are refused."""
    if not (request.args.get("key") and request.args.get("token")):
        return Response("PERMISSION_DENIED", status=403)
    (card,) = _document(request)["cards"]
    widgets = [widget for part in card["sections"] for widget in part["widgets"]]
    fine = (
        set(card) == {"header", "sections"}
        and set(card["header"]) <= {"title", "subtitle", "imageUrl", "imageStyle"}
        and all(list(widget) == ["textParagraph"] for widget in widgets)
    )
    return Response("{}") if fine else Response("INVALID_ARGUMENT", status=400)


def signed(request: Request) -> Response:
    """A receiver of one's own."""
    expected = hmac.new(KEY.encode(), request.data, hashlib.sha256).hexdigest()
    if request.headers.get("X-Signature") != f"sha256={expected}":
        return Response("wrong signature", status=401)
    fine = all(_document(request)[key] for key in ("id", "name", "namespace", "message"))
    return Response(status=204) if fine else Response("incomplete", status=422)


def alertmanager(request: Request) -> Response:
    """Version 2 of the API, behind a proxy that wants a login."""
    login = request.authorization
    if login is None or (login.username, login.password) != ("u", "p"):
        return Response("Unauthorized", status=401)
    for alert in _document(request):
        names = (*alert["labels"], *alert["annotations"])
        texts = (*alert["labels"].values(), *alert["annotations"].values())
        ends = datetime.fromisoformat(alert["endsAt"])
        starts = datetime.fromisoformat(alert.get("startsAt", alert["endsAt"]))
        if not all(_LABEL.fullmatch(name) for name in names) or not all(texts):
            return Response('"invalid label set"', status=400)
        if ends < starts or ends.tzinfo is None or not alert["labels"]["alertname"]:
            return Response('"start time must be before end time"', status=400)
    return Response()


SERVICES: Final[Mapping[str, Service]] = {
    "slack": Service("/services/T0/B0/x", slack_hook),
    "slack bot": Service(
        "/api/chat.postMessage", slack_bot, spec={"channel": "deploys"}, secret={"token": TOKEN}
    ),
    "msteams": Service("/webhookb2/x", teams_connector),
    "msteams workflow": Service("/workflows/x", teams_workflow, spec={"card": "adaptive"}),
    "discord": Service("/api/webhooks/1/x", discord, listens="/api/webhooks/1/x/slack"),
    "rocket": Service("/hooks/x", rocket),
    "gchat": Service("/v1/spaces/x/messages?key=k&token=t", google_chat),
    "webhook": Service("/alerts", signed, secret={"hmacKey": KEY}),
    "alertmanager": Service(
        "/", alertmanager, listens="/api/v2/alerts", secret={"username": "u", "password": "p"}
    ),
}
"""By the type of the provider, and a word where a type has two forms."""
