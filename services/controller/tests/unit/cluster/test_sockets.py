"""What a TLS connection of this process costs."""

from asyncio import sslproto

import pytest

from flagger_controller.cluster import sockets


def test_buffers_are_smaller_than_those_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their size is a detail of asyncio: an upgrade that moves it must not go unnoticed."""
    before = sslproto.SSLProtocol.max_size
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", before)
    sockets.save_memory()
    assert 16 * 1024 <= sslproto.SSLProtocol.max_size < before, "a TLS record still fits"
