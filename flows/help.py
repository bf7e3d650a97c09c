"""Help on one screen: the options that people use, and examples. `--help-all` shows every option."""

from collections.abc import Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

_LISTS = ("LISTS", "--source", "--config", "--store")
USED = {  # by command: the options on the one screen
    "run": {
        *_LISTS,
        *("--engine", "--dry-run", "--recipe", "--training.seed", "--training.hidden-size"),
        *("--sampling.count", "--sampling.temperature", "--sampling.prefix", "--sampling.max-length"),
    },
    "data": {*_LISTS, "--validation.scripts", "--validation.max-length", "--gate.mode"},
    "generate": {
        *("--count", "--output", "--prefix", "--min-length", "--max-length", "--temperature"),
        *("--style", "--unique", "--novel", "--seed", "--model", "--sources", "--store", "--engine"),
    },
}

EXAMPLES = {
    "": """
namewright run elves.txt                            # train on a list
namewright generate --count 500 --output elves.csv  # names from its model
namewright data elves.txt                           # only look at a list
""",
    "run": """
namewright run elves.txt                            # one name per line
namewright run elves.txt dwarves.txt                # two lists, one model
namewright run --config pipeline.toml --dry-run     # what would change
""",
    "data": """
namewright data elves.txt                           # one list
namewright data lists/                              # all of a folder
namewright data --config pipeline.toml              # those of a file
""",
    "generate": """
namewright generate --count 500 --output elves.csv  # one CSV file
namewright generate --prefix El --output -          # to standard output
namewright generate --style elves=0.7,dwarves=0.3   # a blend of two lists
namewright generate --count 100000 --unique --novel # new ones, none twice
""",
    "init": """
namewright init                                     # the bundled lists
namewright init registry.csv                        # with its columns
namewright init registry.csv --file site.toml       # into another file
""",
    "preview": """
namewright preview                                  # the champion
namewright preview 3f2a91 --count 20                # another model
namewright preview --style elves=0.7,dwarves=0.3    # a blend of two lists
""",
    "models": """
namewright models list                              # which there are
namewright models show 3f2a91                       # one of them
namewright models promote 3f2a91                    # names from it
namewright models rollback                          # the one before again
""",
    "store": """
namewright store list                               # every artifact
namewright store list --stage model                 # of one stage
namewright store why mixture/3f2a91                 # why it is kept
""",
    "maintain": """
namewright maintain --dry-run                       # what would be done
namewright maintain                                 # nothing old is removed
namewright maintain --max-size 20GB                 # least used ones go
""",
    "server": """
namewright server start                             # http://127.0.0.1:4200
namewright server status                            # is it running?
namewright server stop
""",
    "completion": """
namewright completion bash                          # for eval, in ~/.bashrc
namewright completion zsh                           # for eval, in ~/.zshrc
namewright completion fish                          # for source
""",
    "deploy": """
namewright deploy                                   # of this folder
namewright deploy --site towns                      # one of several sites
namewright deploy --file site.yaml                  # another file
""",
    "serve": """
namewright serve                                    # until Ctrl-C
namewright serve --site towns                       # one of several sites
namewright serve --file site.yaml                   # another file
""",
}


def epilogue(command: str) -> str:
    """The examples of a command, and where the other options are."""
    more = f"\nEvery option: `namewright {command} --help-all`." if command in USED else ""
    return f"Examples:\n```\n{EXAMPLES[command].strip()}\n```{more}"


class OneScreen:
    """Formats the help of a command with its most used options; with all while `everything` is set."""

    everything = False

    def __init__(self, used: Set[str]) -> None:
        self._used = used

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: object) -> None:
        """Print the line on how the command is called."""
        from cyclopts.help.formatters import DefaultFormatter  # slow to import

        DefaultFormatter().render_usage(console, options, usage)

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """Print one panel of a help page."""
        from cyclopts.help.formatters import DefaultFormatter  # slow to import

        if not self.everything:
            entries = [
                entry.copy(env_var=None) for entry in panel.entries if self._used & set(entry.display_labels)
            ]
            panel = panel.copy(entries=entries)
        DefaultFormatter()(console, options, panel)
