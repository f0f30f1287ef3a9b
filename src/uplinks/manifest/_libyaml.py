"""The module of PyYAML that makes events, tokens and errors: chosen once, for all of `manifest`.

They are taken from the module that makes them: should somebody load PyYAML anew,
`libyaml.ScalarEvent` is no longer the class that libyaml's events have.
"""

from __future__ import annotations

from typing import Any

__all__ = ["libyaml", "parser_of"]

libyaml: Any
try:
    from yaml import _yaml as libyaml
except ImportError:  # pragma: no cover - PyYAML's wheels hold libyaml
    # Slower, and of another mind at the edges only: it skips unknown directives
    # and refuses JSON that is indented by tabs. `PARSER` says which one reads.
    import yaml as libyaml


def parser_of(module: Any) -> Any:
    """Give the class that parses, of libyaml's module or of PyYAML's own."""
    return module.CParser if hasattr(module, "CParser") else module.SafeLoader
