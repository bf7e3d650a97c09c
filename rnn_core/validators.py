"""What each field of a configuration may hold, declared in its annotation and checked when it is made.

    @dataclass(frozen=True, slots=True)
    class SplitConfig(ValidatedConfig):
        test_share: Annotated[float, SHARE] = 0.1
        seed: Annotated[int, SEED] = 0

Fields that are a `Literal` or a `bool` need no rule: their type says what they may hold.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from rnn_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value has to be. words: what it must be, for people. accepts: whether a value is that.

    bounds: the same for JSON schema, as far as its keywords go.
    """

    words: str
    accepts: Callable[[Any], bool]
    bounds: tuple[tuple[str, float], ...] = ()


def whole(lowest: int, highest: int) -> Rule:
    """An int within bounds, both included."""
    return Rule(
        f"a whole number from {lowest} to {highest}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest,
        (("minimum", lowest), ("maximum", highest)),
    )


def number(words: str, accepts: Callable[[float], bool], **bounds: float) -> Rule:
    """A finite number for which `accepts` is true. bounds: the same as keywords of JSON schema."""
    return Rule(
        words,
        lambda value: (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max
            and accepts(value)
        ),
        tuple(bounds.items()),
    )


def between(lowest: float, highest: float) -> Rule:
    """A number within bounds, both included."""
    words = f"a number from {lowest:g} to {highest:g}"
    return number(words, lambda value: lowest <= value <= highest, minimum=lowest, maximum=highest)


def choice(*choices: object) -> Rule:
    """One of the choices."""
    *others, last = (str(value) for value in choices)
    return Rule(
        f"{', '.join(others)} or {last}" if others else last,
        lambda value: any(type(value) is type(known) and value == known for known in choices),
    )


POSITIVE = number("a number above 0", lambda value: value > 0, exclusiveMinimum=0)
AT_LEAST_0 = number("a number, 0 or above", lambda value: value >= 0, minimum=0)
SHARE = number("a number from 0 to below 1", lambda value: 0 <= value < 1, minimum=0, exclusiveMaximum=1)
SHARE_OR_ALL = number("a number from 0 to 1", lambda value: 0 <= value <= 1, minimum=0, maximum=1)
POSITIVE_SHARE = number(
    "a number above 0, at most 1", lambda value: 0 < value <= 1, exclusiveMinimum=0, maximum=1
)
INNER_SHARE = number(
    "a number above 0 and below 1", lambda value: 0 < value < 1, exclusiveMinimum=0, exclusiveMaximum=1
)
SEED = whole(0, (1 << 64) - 1)
TEXT = Rule("a text", lambda value: isinstance(value, str))
UTF8 = Rule(
    "a text of UTF-8",  # which has no lone surrogates
    lambda value: isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value),
)
_BOOLEAN = Rule("true or false", lambda value: isinstance(value, bool))


class ValidatedConfig:
    """Base of configurations: `__post_init__` checks every field."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Raise ConfigError for the first field that breaks its rule."""
        check_fields(self)


def check_fields(config: Any) -> None:
    """Raise ConfigError for the first field that breaks its rule. NumPy scalars become Python numbers."""
    kind: Any = type(config)
    for name, is_optional, rule in _rules(kind):
        value = getattr(config, name)
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(config, name, value)
        if not (value is None and is_optional):
            check(name, value, rule, where=f"{kind.__name__}.{name}")


def check(name: str, value: object, rule: Rule, where: str = "") -> None:
    """Raise ConfigError unless the value follows the rule."""
    if not rule.accepts(value):
        raise out_of_range(name, rule.words, value, where)


def out_of_range(name: str, allowed: str, value: object, where: str = "") -> ConfigError:
    """The error for a value that is not what is allowed."""
    return ConfigError(
        "config.range",
        f"{name} must be {allowed}, got {value!r}",
        where=where or name,
        saw=repr(value),
        fix="give such a value.",
    )


def rules_of(config: type) -> dict[str, Rule]:
    """The rule of each field that has one."""
    return {name: rule for name, _, rule in _rules(config)}


@cache
def _rules(config: type) -> tuple[tuple[str, bool, Rule], ...]:
    """The name of each field that has a rule, and whether it may be None."""
    return tuple(
        (name, NoneType in get_args(_bare(hint)), rule)
        for name, hint in get_type_hints(config, include_extras=True).items()
        for rule in _rules_of(hint)
    )


def _rules_of(hint: Any) -> Iterator[Rule]:
    bare = _bare(hint)
    choices = [
        value for part in (bare, *get_args(bare)) if get_origin(part) is Literal for value in get_args(part)
    ]
    if choices:
        yield choice(*choices)
    if bare is bool:
        yield _BOOLEAN
    yield from (rule for rule in getattr(hint, "__metadata__", ()) if isinstance(rule, Rule))


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint
