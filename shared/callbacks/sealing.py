"""Keeps the URLs of callbacks from everybody who can read history.

The key is derived from the signing secret, so that there is one secret to set and to renew. With several secrets the
first one seals and each one opens: a URL that was sealed before a renewal is opened after it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from shared.errors import CallbackRefused
from shared.settings import CHORUS_CALLBACK_SECRET, CallbackSettings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_BYTES = 32
PURPOSE = b"chorus: the URL of a callback, version 1"
"""Makes the key another one than whatever else may ever be derived from the secret."""


def sealed(url: str, settings: CallbackSettings) -> str:
    """`url`, encrypted and authenticated."""
    return _box(settings).encrypt(url.encode()).decode()


def opened(text: str, settings: CallbackSettings) -> str:
    """The URL that was sealed; `CallbackRefused` if none of the secrets of now opens it."""
    from cryptography.fernet import InvalidToken

    try:
        return _box(settings).decrypt(text.encode()).decode()
    except InvalidToken:
        reason = f"cannot be read any more: it was kept with a secret that {CHORUS_CALLBACK_SECRET} has no longer"
        raise CallbackRefused(reason) from None


def _box(settings: CallbackSettings) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(_key(secret)) for secret in settings.secrets])


def _key(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return urlsafe_b64encode(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(secret))
