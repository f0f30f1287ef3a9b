"""The page of a live parent: one file without external resources.

Its policy allows exactly the style and the script in it, and connections to where it
comes from. The script writes all text with ``textContent``, so that no name or message
can become markup.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Final

__all__ = ["PAGE", "POLICY"]

PAGE: Final = resources.files(__package__).joinpath("page.html").read_text("utf-8")


def _hash_of(tag: str) -> str:
    """Return the source expression of the page's only element with this tag."""
    ((text),) = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash_of('style')}; script-src {_hash_of('script')}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
