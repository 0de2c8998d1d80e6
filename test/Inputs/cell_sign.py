# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Signatures of cells as docs/protocol.md describes them, made by libsodium, for the fake cell."""
import ctypes
import hashlib
import time

_sodium = None


def _library():
    global _sodium
    if _sodium is None:
        _sodium = ctypes.CDLL("libsodium.so.23")
        _sodium.sodium_init()
    return _sodium


def _keys(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    _library().crypto_sign_ed25519_seed_keypair(public, secret, bytes([seed]) * 32)
    return public.raw, secret.raw


def key(seed):
    """The public key of the seed that is 32 times this byte, as `cell trust --key` takes it."""
    return "ed25519:" + _keys(seed)[0].hex()


def sign(document, cell="auth", seed=1, version=1, lifetime=86400):
    """The text of `:signature` for these bytes."""
    public, secret = _keys(seed)
    expires, digest = int(time.time()) + lifetime, hashlib.sha256(document).hexdigest()
    text = f"cell.schema.signature/1\n{cell}\n{version}\n{expires}\n{digest}\n".encode()
    value = ctypes.create_string_buffer(64)
    _library().crypto_sign_ed25519_detached(value, None, text, ctypes.c_ulonglong(len(text)), secret)
    return f"cell.signature/1 {public.hex()} {version} {expires} {digest} {value.raw.hex()}"
