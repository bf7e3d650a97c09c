"""Spellings of one name: what differs only in case, accents or the kind of apostrophe is the same name."""

import unicodedata
from typing import Final

# Other characters for an apostrophe, a hyphen or the dotless i, and joiners, which nobody sees.
_SAME: Final = str.maketrans(
    dict.fromkeys("`´ʹʻʼʽˈˊ‘’‛′＇`", "'")
    | dict.fromkeys("‐‑‒–—―−﹣－", "-")
    | {"ı": "i", "\u200c": "", "\u200d": ""}
)


def spelling_key(name: str) -> str:
    """The same text for all spellings of a name.

    They differ in case (by full case folding; i, İ and ı are one letter), in combining marks that modify a
    letter (José and Jose; the vowel signs of India's scripts are letters of their own), in apostrophes and
    in hyphens. Source: Unicode Technical Standard #10, whose primary strength this follows.
    """
    folded = name.casefold().translate(_SAME)
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFKD", folded)
    # A mark of class 0 is a vowel sign, or a part of a letter.
    unmarked = "".join(character for character in decomposed if not unicodedata.combining(character))
    return unmarked.casefold().translate(_SAME)
