"""What a knob may be, said once: every configuration checks itself when it is made."""

import math
from typing import TypeGuard

from rnn_core.errors import ConfigError


def check_whole(knob: str, value: object, lowest: int, highest: int) -> None:
    """Raises ConfigError unless `value` is an int from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise out_of_range(knob, f"a whole number from {lowest} to {highest}", value)


def check_positive(knob: str, value: object) -> None:
    """Raises ConfigError unless `value` is a finite number above 0."""
    if not (_is_number(value) and 0.0 < value < math.inf):
        raise out_of_range(knob, "a number above 0", value)


def check_at_least_0(knob: str, value: object) -> None:
    """Raises ConfigError unless `value` is a finite number, 0 or above."""
    if not (_is_number(value) and 0.0 <= value < math.inf):
        raise out_of_range(knob, "a number, 0 or above", value)


def check_share(knob: str, value: object, with_1: bool = False) -> None:
    """Raises ConfigError unless `value` is a number from 0 to below 1, or to 1 itself."""
    if not (_is_number(value) and (0.0 <= value < 1.0 or (with_1 and value == 1.0))):
        raise out_of_range(knob, f"a number from 0 to {'1' if with_1 else 'below 1'}", value)


def check_text(knob: str, value: object) -> None:
    """Raises ConfigError unless `value` is a text that UTF-8 can hold: one without lone surrogates."""
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise out_of_range(knob, "a text of UTF-8", value)


def check_choice(knob: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises ConfigError unless `value` is one of the choices."""
    if value not in choices:
        raise out_of_range(knob, f"{', '.join(choices[:-1])} or {choices[-1]}", value)


def out_of_range(knob: str, allowed: str, value: object) -> ConfigError:
    return ConfigError(
        "config.range",
        f"{knob} must be {allowed}, got {value!r}",
        where=knob,
        saw=repr(value),
        fix="give a value in that range.",
    )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
