"""TLS of connections: whom to trust, and who we are. Certificates and keys are PEM texts; no file is written.

Making a context costs milliseconds, so the same settings share one.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import httpx

from connectors.types.base import InputRefused, Inputs


def tls_context(tls: Inputs) -> ssl.SSLContext:
    """Return the context for these settings (`verify`, `ca`, `client_certificate`, …). Raises InputRefused."""
    return _context(
        tls.get("verify", True),
        tls.get("ca", ""),
        tls.get("client_certificate", ""),
        tls.get("client_key", ""),
        tls.get("client_key_password", ""),
    )


@lru_cache(maxsize=32)
def _context(verify: bool, ca: str, certificate: str, key: str, password: str) -> ssl.SSLContext:
    if ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=ca)
        except ssl.SSLError as error:
            raise InputRefused(
                "tls.ca: give certificates in PEM, from -----BEGIN CERTIFICATE----- on."
            ) from error
    else:
        context = httpx.create_ssl_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        try:
            with in_memory(certificate + "\n" + key) as path:
                context.load_cert_chain(path, password=password or "")
        except (ssl.SSLError, OSError) as error:
            words = "give the certificate and its key in PEM, and the password if the key has one"
            raise InputRefused(
                f"tls.client_certificate: {words} ({getattr(error, 'reason', None) or error})."
            ) from error
    return context


@contextmanager
def in_memory(text: str) -> Iterator[str]:
    """Return the path of a file with this text that lies on no disk, for libraries that only read files."""
    descriptor = os.memfd_create("connection", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)  # libpq refuses a key that others could read
        os.write(descriptor, text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
