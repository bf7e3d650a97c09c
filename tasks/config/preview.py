"""What `preview` shows: a few names at some temperatures, of some styles."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from rnn_core.errors import ConfigError
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.styles import EVEN_BLEND
from rnn_core.validators import AT_LEAST_0, SEED, TEXT, check, check_fields, whole

MOST_TEMPERATURES, MOST_STYLES = 8, 16


@dataclass(frozen=True, slots=True)
class PreviewConfig:
    """A grid of names, to choose a temperature and a style by.

    Attributes:
        count: Names in each cell.
        temperatures: The temperatures, a column for each.
        style: The styles, a table for each: lists that the model was trained on, or blends of some. Default:
            every list, and of two also their blend in equal parts.
        prefix: What every name begins with.
        drawn_from: `network`, or `mixture` of network and n-grams. Default: the mixture if the model has one,
            else the network.
        seed: Random seed of the names: they are those that `generate` gives first.
    """

    count: Annotated[int, whole(1, 100)] = 10
    temperatures: tuple[float, ...] = (0.5, 0.8, 1.0, 1.2)
    style: tuple[str, ...] = ()
    prefix: Annotated[str, TEXT] = ""
    drawn_from: Literal["network", "mixture"] | None = None
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        for temperature in self.temperatures:
            check("temperatures", temperature, AT_LEAST_0)
        for name, values, most in (
            ("temperatures", self.temperatures, MOST_TEMPERATURES),
            ("styles", self.style, MOST_STYLES),
        ):
            if len(values) > most or (name == "temperatures" and not values):
                raise ConfigError(
                    "config.range",
                    f"a preview has 1 to {most} {name}",
                    saw=f"{len(values)}",
                    fix="ask for fewer at a time." if values else "give one: --temperatures 0.8",
                )

    def styles(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The styles to show of a model that knows these; one without a name for a model without styles."""
        if self.style or not known:
            return self.style or ("",)
        blend = (EVEN_BLEND.format(*known),) if len(known) == 2 else ()
        return (*known, *blend)[:MOST_STYLES]

    def columns(self, style: str) -> Iterator[SamplingConfig]:
        """The sampling of each temperature."""
        of_style = SamplingConfig(
            drawn_from=self.drawn_from,
            count=self.count,
            prefix=self.prefix,
            style=style,
            seed=self.seed,
        )
        for temperature in self.temperatures:
            yield replace(of_style, temperature=temperature)
