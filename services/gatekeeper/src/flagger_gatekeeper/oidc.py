"""Recognises whom an OpenID Connect issuer vouches for (spec gatekeeper B.4).

Only the issuer's keys are fetched; tokens are checked here. A key that is not known yet is looked
for at most every thirty seconds (`keys`), so that made-up tokens cause no traffic.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import jwt
import urllib3

from . import identity, keys
from .store import base

logger = logging.getLogger(__name__)

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Asymmetric ones only: with others whoever can check a token can make one."""

LEEWAY_SECONDS: Final = 30.0
"""How far clocks may differ."""

_SECONDS: Final = 3.0
_LONGEST_TOKEN: Final = 16 * 1024


class OpenIdTokens:
    """ID tokens and access tokens that are JWTs, for one audience."""

    def __init__(
        self, issuer: str, audience: str, username: str = "sub", groups: str = "groups"
    ) -> None:
        """Believe an issuer.

        Args:
            issuer: its URL, as it stands in tokens.
            audience: whom tokens have to be for.
            username: claim that names people; they need one that they cannot choose.
            groups: claim that lists their groups.
        """
        self._issuer = issuer
        self._audience = audience
        self._username = username
        self._groups = groups
        self._keys = keys.Keys(self._fetched)

    def identify(self, credentials: identity.Credentials) -> identity.Identity | None:
        """Return who the token is about.

        Raises:
            StoreUnavailableError: the issuer does not answer, so nobody knows.
        """
        token = credentials.bearer
        if token.count(".") != 2 or len(token) > _LONGEST_TOKEN:
            return None
        try:
            name = str(jwt.get_unverified_header(token).get("kid", ""))
            if (key := self._keys.find(name)) is None:
                logger.info("a token of %s is refused: no key %r", self._issuer, name[:100])
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", self._username]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            logger.info("a token of %s is refused: %s", self._issuer, error)
            return None
        return self._identity(claims)

    def _identity(self, claims: dict[str, Any]) -> identity.Identity | None:
        name, groups = claims.get(self._username), claims.get(self._groups) or []
        if not isinstance(name, str) or not name:
            return None
        if claims.get("email_verified") is False and self._username == "email":
            return None
        listed = groups if isinstance(groups, list) else [groups]
        return identity.Identity(name, tuple(one for one in listed if isinstance(one, str)))

    def _fetched(self) -> Mapping[str, jwt.PyJWK]:
        """Ask the issuer for its keys."""
        try:
            client = jwt.PyJWKClient(self._discovered(), cache_jwk_set=False, timeout=_SECONDS)
            return {str(key.key_id): key for key in client.get_signing_keys()}
        except (jwt.PyJWTError, ValueError) as error:
            raise base.StoreUnavailableError(f"keys of {self._issuer}: {error}") from error

    def _discovered(self) -> str:
        """Return where the issuer's keys are, from its own description."""
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            answer = urllib3.request("GET", url, timeout=_SECONDS, redirect=False, retries=False)
            described = json.loads(answer.data) if answer.status == 200 else {}
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise base.StoreUnavailableError(f"{url}: {error}") from error
        if not isinstance(described, dict) or described.get("issuer") != self._issuer:
            text = f"{url}: {answer.status}, no description of the issuer {self._issuer}"
            raise base.StoreUnavailableError(text)
        return str(described.get("jwks_uri", ""))
