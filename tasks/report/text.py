"""Text of any script and content, made safe to look at."""

import unicodedata


def escape_invisible(text: str, longest: int = 80) -> str:
    """Text in which nothing hides: what does not print becomes an escape, what does not fit is cut."""
    shown = "".join(
        character if character.isprintable() else _escape(character) for character in text[:longest]
    )
    return shown if len(text) <= longest else f"{shown}…"


def glyph(character: str) -> str:
    """One character as it can be seen alone: a space as ␣, a combining mark on a circle."""
    if character.isspace() or not character.isprintable():
        return "␣" if character == " " else escape_invisible(character)
    return f"◌{character}" if unicodedata.category(character).startswith("M") else character


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits after the point; a dash where there is none, or it is not finite."""
    return "–" if value is None or not abs(value) < float("inf") else f"{value:,.{digits}f}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
