"""Certificates of a parent and its children, and an authority that is not theirs."""

from __future__ import annotations

from pathlib import Path

import trustme

AUTHORITY = trustme.CA()
OTHER = trustme.CA()
CLIENT = AUTHORITY.issue_cert("parent.example.com")
CHILD = AUTHORITY.issue_cert("child.example.com")


def write_credentials(folder: Path) -> Path:
    """Write the files that a ``serversTransport`` of a parent names."""
    AUTHORITY.cert_pem.write_to_path(folder / "ca.pem")
    OTHER.cert_pem.write_to_path(folder / "other.pem")
    CLIENT.private_key_pem.write_to_path(folder / "client.key")
    CLIENT.cert_chain_pems[0].write_to_path(folder / "client.crt")
    return folder
