"""Character classes of Go regular expressions, and their names.

Source: Go's ``regexp/syntax`` documentation; the names of Unicode's general
categories and scripts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from attrs import frozen

__all__ = ["ASCII_CLASSES", "PERL_CLASSES", "Class", "property_class"]

Range = tuple[int, int]


@frozen
class Class:
    """A set of characters: ranges, categories such as ``Lu``, and nested classes.

    ``folded`` ignores case in the ranges and categories; nested classes have
    their own. ``unknown`` marks a set whose characters are not known.

    >>> Class(ranges=((97, 122),), folded=True).contains("Q")
    True
    """

    ranges: tuple[Range, ...] = ()
    categories: tuple[str, ...] = ()
    inner: tuple[Class, ...] = ()
    negated: bool = False
    folded: bool = False
    unknown: bool = False

    def contains(self, character: str) -> bool | None:
        """Whether the class has the character; ``None`` where Unicode data is missing."""
        variants = _variants(character) if self.folded else (character,)
        found: bool | None = any(map(self._has, variants))
        if not found:
            inner = [each.contains(character) for each in self.inner]
            found = True if True in inner else None if self.unknown or None in inner else False
        return found if found is None else found is not self.negated

    def _has(self, character: str) -> bool:
        code = ord(character)
        return any(low <= code <= high for low, high in self.ranges) or (
            unicodedata.category(character).startswith(self.categories)
        )


def _variants(character: str) -> Iterable[str]:
    """All characters that are equal to one when case is ignored."""
    variants = {character, character.lower(), character.upper(), character.casefold()}
    if character in "kK\u212a":
        variants |= set("kK\u212a")
    elif character in "sS\u017f":
        variants |= set("sS\u017f")
    return (each for each in variants if len(each) == 1)


def _ascii(*texts: str) -> Class:
    return Class(tuple((ord(text[0]), ord(text[-1])) for text in texts))


_DIGIT: Final = _ascii("09")
_SPACE: Final = _ascii("\t\n", "\f\r", " ")
_WORD: Final = _ascii("09", "AZ", "__", "az")

PERL_CLASSES: Final = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
"""The classes ``\\d``, ``\\s`` and ``\\w``; a capital letter negates them."""

ASCII_CLASSES: Final = {
    "alnum": _ascii("09", "AZ", "az"),
    "alpha": _ascii("AZ", "az"),
    "ascii": _ascii("\0\x7f"),
    "blank": _ascii("\t", " "),
    "cntrl": _ascii("\0\x1f", "\x7f"),
    "digit": _DIGIT,
    "graph": _ascii("!~"),
    "lower": _ascii("az"),
    "print": _ascii(" ~"),
    "punct": _ascii("!/", ":@", "[`", "{~"),
    "space": _ascii("\t\r", " "),
    "upper": _ascii("AZ"),
    "word": _WORD,
    "xdigit": _ascii("09", "AF", "af"),
}
"""The classes ``[:alnum:]`` and so on."""

_CATEGORIES_TEXT: Final = (
    "C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc "
    "Sk Sm So Z Zl Zp Zs"
)
_CATEGORIES: Final = frozenset(_CATEGORIES_TEXT.split())
_CATEGORY_NAMES: Final = {
    "Closepunctuation": "Pe", "Combiningmark": "M", "Connectorpunctuation": "Pc",
    "Control": "Cc", "Cntrl": "Cc", "Currencysymbol": "Sc", "Dashpunctuation": "Pd",
    "Decimalnumber": "Nd", "Digit": "Nd", "Enclosingmark": "Me", "Finalpunctuation": "Pf",
    "Format": "Cf", "Initialpunctuation": "Pi", "Letter": "L", "Letternumber": "Nl",
    "Lineseparator": "Zl", "Lowercaseletter": "Ll", "Mark": "M", "Mathsymbol": "Sm",
    "Modifierletter": "Lm", "Modifiersymbol": "Sk", "Nonspacingmark": "Mn", "Number": "N",
    "Openpunctuation": "Ps", "Other": "C", "Otherletter": "Lo", "Othernumber": "No",
    "Otherpunctuation": "Po", "Othersymbol": "So", "Paragraphseparator": "Zp",
    "Privateuse": "Co", "Punctuation": "P", "Punct": "P", "Separator": "Z",
    "Spaceseparator": "Zs", "Spacingmark": "Mc", "Surrogate": "Cs", "Symbol": "S",
    "Titlecaseletter": "Lt", "Unassigned": "Cn", "Uppercaseletter": "Lu",
}  # fmt: skip
_SCRIPTS_TEXT: Final = (
    "Adlam Ahom Anatolianhieroglyphs Arabic Armenian Avestan Balinese Bamum Bassavah "
    "Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadianaboriginal "
    "Carian Caucasianalbanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform "
    "Cypriot Cyprominoan Cyrillic Deseret Devanagari Divesakuru Dogra Duployan "
    "Egyptianhieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha "
    "Greek Gujarati Gunjalagondi Gurmukhi Han Hangul Hanifirohingya Hanunoo Hatran Hebrew "
    "Hiragana Imperialaramaic Inherited Inscriptionalpahlavi Inscriptionalparthian "
    "Javanese Kaithi Kannada Katakana Kawi Kayahli Kharoshthi Khitansmallscript Khmer "
    "Khojki Khudawadi Lao Latin Lepcha Limbu Lineara Linearb Lisu Lycian Lydian Mahajani "
    "Makasar Malayalam Mandaic Manichaean Marchen Masaramgondi Medefaidrin Meeteimayek "
    "Mendekikakui Meroiticcursive Meroitichieroglyphs Miao Modi Mongolian Mro Multani "
    "Myanmar Nabataean Nagmundari Nandinagari Newa Newtailue Nko Nushu "
    "Nyiakengpuachuehmong Ogham Olchiki Oldhungarian Olditalic Oldnortharabian Oldpermic "
    "Oldpersian Oldsogdian Oldsoutharabian Oldturkic Olduyghur Oriya Osage Osmanya "
    "Pahawhhmong Palmyrene Paucinhau Phagspa Phoenician Psalterpahlavi Rejang Runic "
    "Samaritan Saurashtra Sharada Shavian Siddham Signwriting Sinhala Sogdian Sorasompeng "
    "Soyombo Sundanese Sylotinagri Syriac Tagalog Tagbanwa Taile Taitham Taiviet Takri "
    "Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai "
    "Vithkuqi Wancho Warangciti Yezidi Yi Zanabazarsquare"
)
_SCRIPTS: Final = frozenset(_SCRIPTS_TEXT.split())


def property_class(name: str) -> Class | None:
    r"""The class of ``\p{name}``, or ``None`` for an unknown name.

    Case, spaces, hyphens and underscores in a name do not matter. Python has no
    data of scripts, so whether a character is in one is not known.

    >>> property_class("lu").contains("A"), property_class("Greek").contains("a")
    (True, None)
    """
    canonical = name.translate(_SEPARATORS).capitalize()
    if canonical == "Any":
        return Class(((0, 0x10FFFF),))
    if canonical == "Ascii":
        return ASCII_CLASSES["ascii"]
    if canonical == "Assigned":
        return Class(categories=("Cn",), negated=True)
    if canonical in {"Lc", "Casedletter"}:
        return Class(categories=("Ll", "Lt", "Lu"))
    category = _CATEGORY_NAMES.get(canonical, canonical)
    if category in _CATEGORIES:
        return Class(categories=(category,))
    return Class(unknown=True) if canonical in _SCRIPTS else None


_SEPARATORS: Final = str.maketrans("", "", "_- ")
