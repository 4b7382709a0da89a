"""Builds the guard from the settings: the one place that reads files of tokens and grants."""

import functools
import json
import pathlib
from typing import Any, Final, cast

from flagger_common import authz

from . import access, guard, identity, policy, reviews, settings
from .store import base

Verb = access.Verb

_SECONDS: Final = 3.0


def keeper(options: settings.Settings, namespaces: authz.NamespaceRule) -> guard.Guard:
    """Return the guard that the settings describe.

    Raises:
        ValueError: a file cannot be used, or the settings contradict each other.
        StoreUnavailableError: no login for the Kubernetes API.
    """
    post = _post(options) if options.auth_mode == "kubernetes" else None
    if options.access_review and post is None:
        raise ValueError("access-review needs auth-mode kubernetes")
    known = authenticators(options, post)
    return guard.Guard(
        namespaces=namespaces,
        authenticators=known,
        authorizer=_authorizer(options, post),
        anonymous=_anonymous(options, bool(known)),
        secret=_secret(options),
    )


def authenticators(
    options: settings.Settings, post: reviews.Post | None
) -> tuple[identity.Authenticator, ...]:
    """Return the ways in which callers are recognised, in the order in which they are asked.

    Raises:
        ValueError: a file cannot be used, or a setting is missing.
    """
    found: list[identity.Authenticator] = []
    if options.trusted_proxy_cidr:
        found.append(identity.ProxyHeader.parse(options.trusted_proxy_cidr))
    if options.auth_mode == "static":
        found.append(identity.StaticTokens.parse(_read(options.token_file, "token-file")))
    if options.auth_mode == "oidc":
        found.append(_issuer(options))
    if post is not None:
        found.append(reviews.TokenReviews(post))
    return tuple(found)


def _issuer(options: settings.Settings) -> identity.Authenticator:
    """Return what believes an issuer. Imported here: cryptography costs 10 MB."""
    from . import oidc

    if not options.oidc_issuer.startswith(("https://", "http://")) or not options.oidc_audience:
        raise ValueError("auth-mode oidc needs oidc-issuer, a URL, and oidc-audience")
    return oidc.OpenIdTokens(
        options.oidc_issuer,
        options.oidc_audience,
        options.oidc_username_claim,
        options.oidc_groups_claim,
    )


def _authorizer(options: settings.Settings, post: reviews.Post | None) -> policy.Authorizer:
    if options.access_review and post is not None:
        return reviews.AccessReviews(post)
    if options.policy_file:
        return policy.Policy.parse(_read(options.policy_file, "policy-file"))
    return policy.Everything()


def _anonymous(options: settings.Settings, identities: bool) -> frozenset[Verb]:
    """Return what needs no identity; where there are none at all, that includes reading."""
    found = {Verb.CHECK}
    if options.allow_anonymous_mutations:
        found |= {Verb.OPEN, Verb.CLOSE}
    if not identities:
        found |= {Verb.READ}
    return frozenset(found)


def _secret(options: settings.Settings) -> str:
    if not options.check_token_file:
        return ""
    secret = _read(options.check_token_file, "check-token-file").strip()
    if not secret:
        raise ValueError("check-token-file is empty")
    return secret


def _read(path: str, flag: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError as error:
        raise ValueError(f"{flag}: {error}") from error


def _post(options: settings.Settings) -> reviews.Post:
    """Return what asks the API server. Imported here: the client costs 40 MB."""
    from .store import kubernetes

    client = kubernetes.login(options.kubeconfig)
    return functools.partial(_create, cast("Any", kubernetes), client)


def _create(kubernetes: Any, client: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, content = kubernetes.exchange(client, "POST", path, _SECONDS, body)
    if status not in (200, 201):
        message = content[:300].decode(errors="replace")
        raise base.StoreUnavailableError(f"POST {path}: {status} {message}")
    found: dict[str, Any] = json.loads(content)
    return found
