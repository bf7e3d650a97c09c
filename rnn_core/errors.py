"""The errors of Namewright: each says what is wrong, where, what was seen, and how to fix it."""

import re

# Of C0 all but the tab and the line end; C1; and what ends a line or turns its direction in Unicode.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape_controls(text: str) -> str:
    """Text that is safe to print on a terminal: control characters, which could change it, become escapes."""
    return _CONTROLS.sub(lambda control: control[0].encode("unicode_escape").decode(), text)


class NamewrightError(Exception):
    """An error that a user can cause and fix.

    code:   stable, dotted, for scripts to act on: `corpus.encoding`.
    what:   one sentence.
    where:  file, line, byte; stage and key; step.
    saw:    the offending value, as it was.
    fix:    what to do about it.
    """

    exit_code = 1

    def __init__(self, code: str, what: str, *, fix: str, where: str = "", saw: str = "") -> None:
        super().__init__(code, what, fix, where, saw)  # so that a copy in another process is whole
        self.code, self.what, self.fix, self.where, self.saw = code, what, fix, where, saw

    def __reduce__(self) -> tuple[object, ...]:
        arguments = (type(self), self.code, self.what, self.fix, self.where, self.saw)
        return _rebuild, arguments, {"exit_code": self.exit_code}

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        for label, text in (("where", self.where), ("saw", self.saw), ("fix", self.fix)):
            if text:
                lines.append(f"  {label + ':':<7}" + text.replace("\n", "\n" + " " * 9))
        return escape_controls("\n".join(lines))


def _rebuild(
    cls: type[NamewrightError], code: str, what: str, fix: str, where: str, saw: str
) -> NamewrightError:
    error = cls.__new__(cls)
    NamewrightError.__init__(error, code, what, fix=fix, where=where, saw=saw)
    return error


class ConfigError(NamewrightError):
    """An option has an invalid value, or is unknown."""

    exit_code = 2


class DataError(NamewrightError):
    """A corpus, a name or an artifact's content is invalid."""

    exit_code = 3


class TrainingError(NamewrightError):
    """Training or sampling cannot continue."""

    exit_code = 5


class Interrupted(NamewrightError):
    """The run was asked to stop, and stopped at a safe place."""

    exit_code = 130
