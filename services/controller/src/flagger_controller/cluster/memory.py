"""What an API server does with objects, in memory and without I/O; `fake` makes a client of it.

Versions, generations, conflicts, status isolation, finalizers, garbage collection and the history
for watches behave as on a real server, which the contract tests in `tests/api/cluster` check.
"""

import bisect
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from flagger_controller.cluster import diff, resources
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    Object,
    Ref,
    Resource,
)

T = TypeVar("T")

SERVER_FIELDS: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
"""Metadata that only the server sets."""


@dataclass(frozen=True)
class Happening:
    """One entry of the history that watches read."""

    version: int
    type: str
    ref: Ref
    body: Object


class Memory:
    """The objects of a cluster."""

    def __init__(self, now: Callable[[], datetime], *, collect: bool = True) -> None:
        self.objects: dict[Ref, Object] = {}
        self.history: list[Happening] = []
        self.version = 100
        self.oldest = 0
        """Watches from versions below this one are answered with 410."""
        self._now = now
        self._collecting = collect

    def get(self, ref: Ref) -> Object:
        """Copy of an object."""
        return copied(self._live(ref))

    def items(self, resource: Resource, namespace: str) -> list[Object]:
        """Copies of all objects of a kind, sorted as etcd does."""
        found = [
            ref
            for ref in self.objects
            if ref.resource == resource and namespace in ("", ref.namespace)
        ]
        return [self.get(ref) for ref in sorted(found, key=lambda ref: (ref.namespace, ref.name))]

    def after(self, version: int, resource: Resource, namespace: str) -> list[Happening]:
        """What happened to a kind since a version."""
        return [
            entry
            for entry in self.history[self._position(version) :]
            if entry.ref.resource == resource and namespace in ("", entry.ref.namespace)
        ]

    def compact(self, version: int | None = None) -> None:
        """Forget the history, as etcd does every few minutes: all of it, or up to a version."""
        self.oldest = self.version if version is None else version
        del self.history[: self._position(self.oldest)]

    def create(self, ref: Ref, body: Object) -> Object:
        """Create an object."""
        if ref in self.objects:
            raise ApiConflict(409, "AlreadyExists", f"{_named(ref)} already exists")
        new = copied(body)
        meta = new.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            text = "resourceVersion should not be set on objects to be created"
            raise ApiError(400, "BadRequest", text)
        _identify(ref, new)
        if ref.resource not in resources.WITHOUT_STATUS:
            new.pop("status", None)
        for field in SERVER_FIELDS:
            meta.pop(field, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = self._stamp()
        if ref.resource not in resources.WITHOUT_GENERATION:
            meta["generation"] = 1
        return self._record("ADDED", ref, new)

    def update(self, ref: Ref, body: Object, subresource: str = "") -> Object:
        """Replace an object, or its status."""
        live, new = self._live(ref), copied(body)
        if not new.get("metadata", {}).get("resourceVersion"):
            text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            raise ApiError(422, "Invalid", f"{_named(ref)} is invalid: {text}")
        if new["metadata"].get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
            raise _stale(ref)
        return self._replace(ref, live, new, subresource)

    def patch(self, ref: Ref, patch: Object, subresource: str = "") -> Object:
        """Merge a document into an object, or into its status."""
        live, new = self._live(ref), copied(diff.merged(self._live(ref), patch))
        if not subresource and new["metadata"].get("uid") != live["metadata"]["uid"]:
            # A precondition in updates, but only an attempt to change it in patches.
            text = "metadata.uid: Invalid value: field is immutable"
            raise ApiError(422, "Invalid", f"{_named(ref)} is invalid: {text}")
        return self._replace(ref, live, new, subresource)

    def delete(self, ref: Ref, uid: str = "") -> None:
        """Delete an object, or mark it when it has finalizers."""
        live = self._live(ref)
        meta = live["metadata"]
        if uid and uid != meta["uid"]:
            text = f"the UID in the precondition ({uid}) does not match the UID in record"
            raise ApiConflict(409, "Conflict", text)
        if not meta.get("finalizers"):
            self._remove(ref, live)
        elif not meta.get("deletionTimestamp"):
            new = copied(live)
            new["metadata"] |= {
                "deletionTimestamp": self._stamp(),
                "deletionGracePeriodSeconds": 0,
            }
            if "generation" in meta:
                new["metadata"]["generation"] += 1
            self._record("MODIFIED", ref, new)

    def put(self, ref: Ref, body: Object) -> Object:
        """Write spec and status at once, whatever is there: for tests, as the rest of the world."""
        live = self.objects.get(ref)
        if live is None:
            live = self.create(ref, {**body, "metadata": {**body.get("metadata", {})}})
        new = copied(body)
        new.setdefault("metadata", {})["resourceVersion"] = live["metadata"]["resourceVersion"]
        main = self._replace(ref, self._live(ref), new, "")
        if "status" in body and ref.resource not in resources.WITHOUT_STATUS:
            main = self._replace(ref, self._live(ref), {**main, "status": body["status"]}, "status")
        return main

    def _replace(self, ref: Ref, live: Object, new: Object, subresource: str) -> Object:
        if new["metadata"].get("resourceVersion") not in (
            None,
            live["metadata"]["resourceVersion"],
        ):
            raise _stale(ref)
        separate = ref.resource not in resources.WITHOUT_STATUS
        if subresource == "status" and separate:
            new = copied(live) | {"status": new.get("status")}
        elif subresource:
            raise ApiNotFound(404, "NotFound", "the server could not find the requested resource")
        elif separate:
            new["status"] = copied(live.get("status"))
        if new.get("status") is None:
            new.pop("status", None)
        _identify(ref, new)
        _keep_server_fields(live, new)
        new["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        if new == live:  # a write that changes nothing leaves no trace
            return copied(live)
        _refuse_new_finalizers(ref, live["metadata"], new["metadata"])
        if "generation" in live["metadata"] and _substance(new) != _substance(live):
            new["metadata"]["generation"] += 1
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self._remove(ref, new)
            return new
        return self._record("MODIFIED", ref, new)

    def _remove(self, ref: Ref, last: Object) -> None:
        del self.objects[ref]
        self._happen("DELETED", ref, copied(last))
        if self._collecting:
            self._collect(ref.namespace, last["metadata"]["uid"])

    def _collect(self, namespace: str, uid: str) -> None:
        """Delete what only the vanished owner owned."""
        alive = {body["metadata"]["uid"] for body in self.objects.values()}
        for ref, body in list(self.objects.items()):
            owners = body["metadata"].get("ownerReferences", [])
            if not any(owner.get("uid") == uid for owner in owners):
                continue
            if namespace in ("", ref.namespace) and ref in self.objects:
                left = [owner for owner in owners if owner.get("uid") in alive]
                if left:
                    self.patch(ref, {"metadata": {"ownerReferences": left}})
                else:
                    self.delete(ref)

    def _record(self, type_: str, ref: Ref, new: Object) -> Object:
        self.objects[ref] = new
        self._happen(type_, ref, new)
        return copied(new)

    def _happen(self, type_: str, ref: Ref, body: Object) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.history.append(Happening(self.version, type_, ref, copied(body)))

    def _position(self, version: int) -> int:
        """Where in the history what is newer begins."""
        return bisect.bisect_right(self.history, version, key=lambda entry: entry.version)

    def _live(self, ref: Ref) -> Object:
        try:
            return self.objects[ref]
        except KeyError:
            raise ApiNotFound(404, "NotFound", f"{_named(ref)} not found") from None

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def copied(value: T) -> T:
    """Copy through JSON, which also refuses what an API server could not read."""
    copy: T = msgspec.json.decode(msgspec.json.encode(value))
    return copy


def _identify(ref: Ref, body: Object) -> None:
    body["apiVersion"] = ref.resource.api_version
    body["kind"] = ref.resource.kind
    meta = body.setdefault("metadata", {})
    meta.pop("managedFields", None)
    if meta.get("name", ref.name) != ref.name:
        text = "the name of the object does not match the name on the URL"
        raise ApiError(400, "BadRequest", text)
    meta["name"] = ref.name
    if ref.resource.namespaced:
        meta["namespace"] = ref.namespace


def _stale(ref: Ref) -> ApiConflict:
    text = "the object has been modified; please apply your changes to the latest version"
    return ApiConflict(
        409, "Conflict", f"Operation cannot be fulfilled on {_named(ref)}: {text} and try again"
    )


def _keep_server_fields(live: Object, new: Object) -> None:
    for field in SERVER_FIELDS:
        new["metadata"].pop(field, None)
        if field in live["metadata"]:
            new["metadata"][field] = live["metadata"][field]


def _refuse_new_finalizers(ref: Ref, live: Object, new: Object) -> None:
    """What is being deleted can lose finalizers and gets no new ones."""
    added = set(new.get("finalizers") or ()) - set(live.get("finalizers") or ())
    if live.get("deletionTimestamp") and added:
        text = "no new finalizers can be added if the object is being deleted"
        raise ApiError(
            422, "Invalid", f"{_named(ref)} is invalid: metadata.finalizers: Forbidden: {text}"
        )


def _substance(body: Object) -> Object:
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}


def _named(ref: Ref) -> str:
    group = f".{ref.resource.group}" if ref.resource.group else ""
    return f'{ref.resource.plural}{group} "{ref.name}"'
