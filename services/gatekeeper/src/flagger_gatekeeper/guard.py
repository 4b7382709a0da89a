"""Decides whether a request is admitted (spec gatekeeper B.4); knows no Flask."""

import dataclasses
import functools
import hmac
from collections.abc import Callable
from typing import Final

from flagger_common import authz

from . import access, identity, policy

Verb = access.Verb

CHECKS: Final = frozenset({Verb.CHECK})
"""What needs no identity: controllers have none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Guard:
    """Knows who may do what."""

    namespaces: authz.NamespaceRule
    """The namespaces that are served; others are nobody's."""
    authenticators: tuple[identity.Authenticator, ...] = ()
    """Asked in this order."""
    authorizer: policy.Authorizer = dataclasses.field(default_factory=policy.Everything)
    """What those may do who were recognised."""
    anonymous: frozenset[Verb] = CHECKS
    """What everybody may do."""
    secret: str = ""
    """What checks have to carry; empty: nothing."""

    def identify(
        self,
        verb: Verb,
        namespace: str | None,
        credentials: identity.Credentials,
        secret: str = "",
    ) -> identity.Identity | None:
        """Return who may do this, None for somebody unknown who may do it nevertheless.

        Args:
            verb: what they want to do.
            namespace: where; None: wherever they may.
            credentials: what the request carries.
            secret: from the payload of a check.

        Raises:
            RefusedError: they may not.
        """
        if namespace is not None and not self.namespaces.allows(namespace):
            raise access.RefusedError(403, "forbidden", "this namespace is not served here")
        if verb is Verb.CHECK and self._is_check(credentials, secret):
            return None
        who = self._who(credentials)
        if who is None:
            if verb in self.anonymous and not (verb is Verb.CHECK and self.secret):
                return None
            raise access.RefusedError(401, "unauthorized", "this needs an identity")
        if namespace is not None and not self.authorizer.allows(who, verb, namespace):
            raise access.RefusedError(403, "forbidden", f"{who.name} may not {verb} here")
        return who

    def rights(self, who: identity.Identity | None) -> Callable[[Verb, str], bool]:
        """Return what somebody may do in a namespace; each is decided once."""

        @functools.cache
        def may(verb: Verb, namespace: str) -> bool:
            if not self.namespaces.allows(namespace):
                return False
            if who is None:
                return verb in self.anonymous
            return self.authorizer.allows(who, verb, namespace)

        return may

    def _is_check(self, credentials: identity.Credentials, secret: str) -> bool:
        """Say whether a check needs no identity: without a secret, or with the right one."""
        if not self.secret:
            return Verb.CHECK in self.anonymous
        expected = self.secret.encode()
        in_header = hmac.compare_digest(expected, credentials.bearer.encode())
        in_payload = hmac.compare_digest(expected, secret.encode())
        return in_header or in_payload

    def _who(self, credentials: identity.Credentials) -> identity.Identity | None:
        for authenticator in self.authenticators:
            if (who := authenticator.identify(credentials)) is not None:
                return who
        if credentials.bearer and self.authenticators:
            raise access.RefusedError(401, "unauthorized", "nobody knows this token")
        return None
