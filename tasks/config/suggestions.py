"""What a user who wrote an unknown option or command probably meant."""

import difflib
import re

from cyclopts import CycloptsError
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError

from rnn_core.errors import ConfigError
from tasks.config.options import NEAR, nearest

_OPTIONS = {  # words that other programs use, to the last part of our option
    "n": "count",
    "num": "count",
    "number": "count",
    "samples": "count",
    "o": "output",
    "out": "output",
    "starts-with": "prefix",
    "begins-with": "prefix",
    "start": "prefix",
    "input": "source",
    "file": "source",
    "lr": "learning-rate",
    "hidden": "hidden-size",
    "units": "hidden-size",
    "temp": "temperature",
    "length": "max-length",
    "cut": "truncate",
    "force": "overwrite",
    **dict.fromkeys(("threads", "jobs", "j", "processes", "cores"), "workers"),
}
_SECTIONS = ("training", "sampling", "validation", "examples")
_COMMANDS = {
    **dict.fromkeys(("train", "learn", "fit", "retrain", "start"), "run"),
    **dict.fromkeys(("sample", "make", "create", "names", "predict"), "generate"),
    **dict.fromkeys(("inspect", "stats", "summary", "check", "validate"), "data"),
    **dict.fromkeys(("clean", "gc", "prune", "verify"), "maintain"),
    **dict.fromkeys(("ui", "dashboard", "prefect"), "server start"),
    **dict.fromkeys(("config", "configure"), "init"),
}


def option_error(refusal: CycloptsError) -> ConfigError:
    """What cyclopts refused, as one of our errors, with what was probably meant."""
    words = (word for word in refusal.command_chain or () if word != "namewright")
    command = " ".join(["namewright", *words])
    text, meant = str(refusal), ""
    if isinstance(refusal, UnknownOptionError):
        word = refusal.token.keyword or refusal.token.value
        names = [name for argument in refusal.argument_collection for name in argument.names]
        options = near_options(word.split("=")[0], names)
        text, meant = text.partition(" Did you mean")[0], " or ".join(options)
        if word == "-":
            fix = "save the list to a file, and name that."
            return ConfigError("config.option", "lists are read from files, not from standard input", fix=fix)
    elif isinstance(refusal, UnknownCommandError) and refusal.unused_tokens:
        known = [name for name in refusal.app or () if not name.startswith("-")]
        word = refusal.unused_tokens[0]
        text = text.partition(" Did you mean")[0].partition(" Available commands")[0]
        meant = near_command(word, known, command)
    pages = f"{command} --help" + ("" if meant else f", and {command} --help-all for every option")
    return ConfigError(
        "config.option", text, fix=f"Did you mean {meant}? See {pages}." if meant else f"see {pages}."
    )


def near_options(word: str, names: list[str]) -> list[str]:
    """The options that were probably meant: of the same last part, or spelled nearly so; at most three.

    word:   as it was written: `--seed`, or `[training][learning_rat]` of a file.
    names:  of the options that there are.
    """
    plain = re.sub(r"\]\[|\.", ".", word).strip("[]-").replace("_", "-").lower()
    last = plain.rpartition(".")[2]
    by_last: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("--"):
            by_last.setdefault(name.lstrip("-").rpartition(".")[2], []).append(name)
    full = difflib.get_close_matches(f"--{plain}", names, n=1, cutoff=NEAR + 0.05)
    same = sorted(by_last.get(_OPTIONS.get(last, last)) or [], key=_rank)
    return (full or same or by_last.get(nearest(last, by_last) or "", []))[:3]


def _rank(option: str) -> int:
    """The sections in which most people look come first."""
    section = option.lstrip("-").partition(".")[0]
    return _SECTIONS.index(section) if section in _SECTIONS else len(_SECTIONS)


def near_command(word: str, known: list[str], group: str = "namewright") -> str:
    """The command that was probably meant, as it is called; empty if none is near.

    group:  the command before the word: `namewright`, or `namewright models`.
    """
    if group == "namewright":
        if "/" in word or "." in word or "=" in word:
            return f"namewright run {word}"
        if word in _COMMANDS:
            return f"namewright {_COMMANDS[word]}"
    meant = nearest(word, known)
    return f"{group} {meant}" if meant else ""
