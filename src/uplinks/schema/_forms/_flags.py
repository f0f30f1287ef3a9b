"""The static configuration as flat settings: command-line arguments and environment variables.

Both name a field by its path. The names of fields may be in any case; that of an entry
point is the one that is written, which in an environment variable is in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from uplinks.diagnostics import Span
from uplinks.located import LocatedList, LocatedMap
from uplinks.schema._forms._static import static_tree
from uplinks.schema._forms._tree import get_case, marks_of, put

__all__ = ["arguments", "environment", "flags_tree", "variables"]

_DASHES: Final = re.compile("--?(?=[A-Za-z])")
_PREFIX: Final = "traefik_"
_READ: Final = (
    ("hub", "uplinkentrypoints"),
    ("hub", "providers", "multicluster"),
    ("core", "defaultrulesyntax"),
    ("providers", "kubernetescrd", "allowcrossnamespace"),
)
_STEP: Final = re.compile(r"([^\[\]]+)((?:\[[0-9]{1,4}\])*)")
_INDEX: Final = re.compile(r"\[[0-9]+\]")
_SWITCHES: Final = frozenset(
    {
        "allowcrossnamespace",
        "asdefault",
        "disablehttp2",
        "http",
        "insecureskipverify",
        "multicluster",
        "serverstransport",
        "spiffe",
        "tls",
    }
)
_LISTS: Final = frozenset({"ciphersuites", "ids", "rootcas"})
_INDEXED: Final = re.compile(r"(certificates|ciphersuites|ids|rootcas)_([0-9]{1,4})(?=_|\Z)")
_REFERENCE: Final = re.compile(r"\$\(([-._A-Za-z0-9]+)\)")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_QUOTING: Final = re.compile(r"""['"]|\\\n""")
_MOST_STEPS: Final = 16


@frozen
class Setting:
    """One field by its path, and its value; ``None`` where it cannot be known.

    ``begin`` is the column of the name, or ``None`` if only the place of all is known.
    """

    name: str
    value: str | None
    marks: tuple[Span, Span]
    begin: int | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The path as written."""
        return tuple(self.name.split("."))

    def place_of(self, index: int) -> Span:
        """Give the place of one step of the path."""
        if self.begin is None:
            return self.marks[0]
        before = sum(len(step) + 1 for step in self.steps[:index])
        begin, line = self.begin + before, self.marks[0].line
        return Span(line, begin, line, begin + len(self.steps[index]))

    @property
    def is_read(self) -> bool:
        """Whether it is a setting of uplinks."""
        lower = tuple(step.lower() for step in self.steps[:3])
        return any(lower[: len(path)] == path for path in _READ)


def arguments(words: Any, values: Mapping[str, str] | None = None) -> Iterator[Setting]:
    """Give the settings of a list of arguments: ``--name=value``, ``--name value``, ``--name``.

    ``values`` are the container's variables, which ``$(NAME)`` refers to.

    >>> [(each.name, each.value) for each in arguments(["--hub.providers.multicluster", "--ping"])]
    [('hub.providers.multicluster', 'true')]
    """
    pairs = list(_words(words))
    for index, (word, span) in enumerate(pairs):
        dashes = _DASHES.match(word)
        if dashes is None:
            continue
        name, equals, value = word[dashes.end() :].partition("=")
        place = _inside(span, word, len(word) - len(value)) if equals else span
        if not equals:
            value = "true"
            leaf = name.rpartition(".")[2].lower()
            follows = pairs[index + 1] if index + 1 < len(pairs) else None
            if leaf not in _SWITCHES and follows and not _DASHES.match(follows[0]):
                value, place = follows
        known = _substituted(name, value, values or {})
        begin = _first_column(span, word)
        begin = None if begin is None else begin + dashes.end()
        setting = Setting(name, known, (span, place), begin)
        if setting.is_read:
            yield setting


def _words(words: Any) -> Iterator[tuple[str, Span]]:
    """Give the arguments; of a command of a shell, the words."""
    for index, item in enumerate(words if isinstance(words, list) else ()):
        if not isinstance(item, str):
            continue
        span = marks_of(words, index)[1]
        in_shell = " " in item and not item.startswith("-") and "--" in item
        for word in _shell_words(item) if in_shell else [item]:
            yield word, span


def _shell_words(line: str) -> list[str]:
    """Give the words of a shell's command without quotes, its variables as Kubernetes has them.

    >>> _shell_words("traefik --a=':9443' --b=${PORT}; true")
    ['traefik', '--a=:9443', '--b=$(PORT)', 'true']
    """
    plain = _VARIABLE.sub(r"$(\1\2)", _QUOTING.sub("", line))
    return [word.rstrip(";&|") for word in plain.split()]


def _first_column(span: Span, word: str) -> int | None:
    """Give the column at which a word begins, if its span is that of the word alone."""
    quotes = span.end_column - span.column - len(word)
    exact = span.line == span.end_line and quotes in {0, 2}
    return span.column + quotes // 2 if exact else None


def _inside(span: Span, word: str, begin: int) -> Span:
    """Give the place of a word's end, if its span is that of the word alone."""
    first = _first_column(span, word)
    if first is None:
        return span
    return Span(span.line, first + begin, span.line, first + len(word))


def _substituted(path: str, text: str, values: Mapping[str, str]) -> str | None:
    """Replace ``$(NAME)`` as Kubernetes does; ``None`` if a variable is unknown here.

    An address stays as it is then: it is required, and nothing stands for "unknown".
    """
    for name in _REFERENCE.findall(text):
        if name in values:
            text = text.replace(f"$({name})", values[name])
        elif not path.lower().endswith(".address"):
            return None
    return text


def variables(env: Any) -> dict[str, str]:
    """Give the variables of a container that have a value in the manifest."""
    items = env if isinstance(env, list) else ()
    pairs = ((each.get("name"), each.get("value")) for each in items if isinstance(each, dict))
    return {n: value for n, value in pairs if isinstance(n, str) and isinstance(value, str)}


def environment(env: Any) -> Iterator[Setting]:
    """Give the settings of a container's ``env``, a list of names and values.

    >>> env = [{"name": "TRAEFIK_HUB_UPLINKENTRYPOINTS_UP_ADDRESS", "value": ":9443"}]
    >>> [(each.name, each.value) for each in environment(env)]
    [('hub.uplinkentrypoints.up.address', ':9443')]
    """
    values = variables(env)
    for item in env if isinstance(env, list) else ():
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name.lower().startswith(_PREFIX):
            continue
        path = _INDEXED.sub(r"\1[\2]", name.lower().removeprefix(_PREFIX)).replace("_", ".")
        value = item.get("value")
        known = _substituted(path, value, values) if isinstance(value, str) else None
        marks = (marks_of(item, "name")[1], marks_of(item, "value")[1])
        begin = None if "[" in path else _first_column(marks[0], name)
        begin = None if begin is None else begin + len(_PREFIX)
        setting = Setting(path, known, marks, begin)
        if setting.is_read:
            yield setting


def flags_tree(settings: list[Setting]) -> LocatedMap | None:
    """Make the canonical tree of flat settings; ``None`` if there are none of ``hub``.

    >>> flags_tree(list(arguments(["--hub.uplinkEntryPoints.up.asDefault"])))
    {'hub': {'uplinkEntryPoints': {'up': {'asDefault': True}}}}
    """
    root = LocatedMap(settings[0].marks[0] if settings else Span())
    for setting in settings:
        _insert(root, setting)
    _as_lists(root)
    return static_tree(root)


def _insert(root: LocatedMap, setting: Setting) -> None:
    """Put a setting at its path; a later one replaces an earlier one, but extends a list."""
    steps: list[tuple[str, Span]] = []
    for index, step in enumerate(setting.steps):
        match = _STEP.fullmatch(step)
        if match is None:
            return
        place = setting.place_of(index)
        steps += [(each, place) for each in (match[1], *_INDEX.findall(match[2]))]
    if len(steps) > _MOST_STEPS:
        return
    *above, (last, place) = steps
    node = root
    for step, span in above:
        key = get_case(node, step) or step
        inside = node.get(key)
        if not isinstance(inside, LocatedMap):
            inside = put(node, key, LocatedMap(setting.marks[0]), (span, setting.marks[0]))
        node = inside
    key = get_case(node, last) or last
    value = setting.value
    before = node.get(key)
    if isinstance(before, LocatedMap) and value == "true":
        return  # `--tls` beside `--tls.options`
    if isinstance(before, str) and value is not None and key.lower() in _LISTS:
        value = f"{before},{value}"
    put(node, key, value, (place, setting.marks[1]))


def _as_lists(node: LocatedMap) -> None:
    """Turn the mappings whose keys are ``[0]``, ``[1]`` … into lists."""
    for key, inner in node.items():
        if not isinstance(inner, LocatedMap):
            continue
        _as_lists(inner)
        if inner and all(step.startswith("[") for step in inner):
            items = LocatedList(inner.span)
            for step in sorted(inner, key=lambda step: int(step[1:-1])):
                items.append(inner[step])
                items.marks.append(inner.marks[step][1])
            node[key] = items
