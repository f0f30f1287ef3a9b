"""PyYAML's module with the parser, its events, tokens and errors.

The event classes must come from the module that makes the events: if PyYAML is
reloaded, `yaml.ScalarEvent` is no longer the class of libyaml's events.
"""

from __future__ import annotations

from typing import Any

__all__ = ["libyaml", "parser_of"]

libyaml: Any
try:
    from yaml import _yaml as libyaml
except ImportError:  # pragma: no cover - PyYAML's wheels hold libyaml
    # About 20 times slower. It differs only in that it ignores unknown directives and
    # refuses JSON indented by tabs. `PARSER` names the one in use.
    import yaml as libyaml


def parser_of(text: str) -> Any:
    """Make a parser of text. libyaml's module has a class of its own for it."""
    parser = libyaml.CParser if hasattr(libyaml, "CParser") else libyaml.SafeLoader
    return parser(text)
