"""Bearer tokens, kept in a file or in an environment variable."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from attrs import frozen

from uplinks.errors import InvalidToken

__all__ = ["FileToken", "Token", "VariableToken"]

_TOKEN: Final = re.compile(r"[-A-Za-z0-9._~+/]+=*")
_LONGEST: Final = 8192


@frozen
class FileToken:
    """A token in a file, read again on each use, so that a renewed one is used.

    >>> FileToken("no/such/file").read()
    Traceback (most recent call last):
    uplinks.errors.InvalidToken: cannot use the token of no/such/file: No such file or directory
    """

    path: str

    def read(self) -> str:
        """Read the token; spaces around it do not count. Raises: InvalidToken."""
        try:
            with Path(self.path).open("rb") as file:
                text = file.read(_LONGEST + 1)
        except (OSError, ValueError) as error:
            raise InvalidToken(self.path, getattr(error, "strerror", None) or "no path") from None
        return _token(self.path, text.decode("latin-1"))


@frozen
class VariableToken:
    """A token in an environment variable.

    >>> VariableToken("NO_SUCH_VARIABLE").read()
    Traceback (most recent call last):
    uplinks.errors.InvalidToken: cannot use the token of NO_SUCH_VARIABLE: it is not set
    """

    name: str

    def read(self) -> str:
        """Read the token; spaces around it do not count. Raises: InvalidToken."""
        text = os.environ.get(self.name)
        if text is None:
            raise InvalidToken(self.name, "it is not set")
        return _token(self.name, text)


Token = FileToken | VariableToken


def _token(place: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidToken(place, "it is empty")
    if len(text) > _LONGEST or _TOKEN.fullmatch(text) is None:
        raise InvalidToken(place, "it is not a bearer token (RFC 6750)")
    return text
