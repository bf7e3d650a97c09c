"""The sampler: new names, character by character.

    P(token_{t+1} = v) ~ P(v | token_0 ... token_t) ^ (1 / temperature), of what may come there

Names are sampled in blocks of a fixed size. A block depends only on the model, the options, the seed and its
own number: name number i is the same name however many are sampled, by however many workers.

Within a block names start in their order, as many at a time as fit into the cache; one that has ended leaves
its slot to the next. So what is computed together, and with it every rounding, is the same each time; a block
of which only the first names are requested is left when those have ended.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import numpy as np

from rnn_core.arrays import Integers
from rnn_core.errors import ConfigError, DataError
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream
from rnn_core.sample import automaton
from rnn_core.sample.block import OnProgress, SampledNames, SamplingContext, sample_block
from rnn_core.sample.constraints import Constraints, NamePredicate, check_known
from rnn_core.sample.logits_processor import LogitsProcessor
from rnn_core.sample.model import Model
from rnn_core.sample.prefix_tree import PrefixTree, row_bytes
from rnn_core.sample.wished_block import OnAttempts, sample_wished_block
from rnn_core.sample.wishes import Wish, Wishes
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.validators import AT_LEAST_0, POSITIVE_SHARE, SEED, TEXT, check, check_fields, whole

STATE_BYTES = 1 << 20  # of the states of all active names
WEIGHT_ELEMENTS = 1 << 24  # of the weights of their next characters
MAX_ACTIVE, MIN_ACTIVE = 4_096, 256  # names
WISH_REVISION = 1  # how often the names of a seed became others where there are wishes, and only there


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """Which names to generate.

    Attributes:
        drawn_from: `network`, or `mixture` of network and n-grams, which needs validation names. Default: the
            mixture where there are such names, else the network.
        count: Number of names.
        temperature: Below 1 nearer to the most probable names, above 1 more adventurous; 0 always takes
            the most probable character, so all names are the same.
        top_k: Sample only from this many of the most probable characters; by default from all.
        top_p: Sample only from the most probable characters that together have this probability; 1 for
            all. Applied after top_k.
        prefix: What every name begins with.
        min_length: Shortest name, in characters, prefix included; a shorter one is sampled anew.
        max_length: Longest name, in characters, prefix included; a longer one is sampled anew.
        allowed: The characters that may follow the prefix; all if empty.
        forbidden: Characters that may not follow it.
        suffix: What every name ends with; others are sampled anew, as for all wishes below.
        contains: What every name contains, anywhere.
        matching: A regular expression, in the syntax of RE2, that every name matches as a whole.
        like: A name that every name is like: within this edit distance of it.
        within: The edit distance, in characters inserted, removed or replaced; by default 1.
        truncate: Cut names off at max_length, and let none end before min_length, instead of sampling
            others.
        trimmed: No name begins or ends with white space, as in the lists.
        style: One of the lists that the model was trained on, to generate names like its names; or a blend
            of some, as `towns=0.7,rivers=0.3`. By default from all lists, by their shares.
        seed: Random seed of the names.
        capitalise_first: Capitalize the first letter of every name.
    """

    drawn_from: Literal["network", "mixture"] | None = None
    count: Annotated[int, whole(0, 1 << 40)] = 1000
    temperature: Annotated[float, AT_LEAST_0] = 1.0
    top_k: Annotated[int | None, whole(1, 1 << 31)] = None
    top_p: Annotated[float, POSITIVE_SHARE] = 1.0
    prefix: Annotated[str, TEXT] = ""
    min_length: Annotated[int, whole(1, 10_000)] = 1
    max_length: Annotated[int, whole(1, 10_000)] = 50
    allowed: Annotated[str, TEXT] = ""
    forbidden: Annotated[str, TEXT] = ""
    suffix: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    contains: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    matching: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    like: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    within: Annotated[int | None, whole(0, 16)] = field(
        default=None, metadata={"neutral": lambda _config: None}
    )
    trimmed: bool = True
    truncate: bool = field(default=False, metadata={"neutral": lambda config: config.limits_length})
    style: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    seed: Annotated[int, SEED] = 0
    capitalise_first: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check("min_length", self.min_length, whole(1, self.max_length), "SamplingConfig.min_length")
        if self.within is not None and not self.like:
            raise ConfigError(
                "config.within",
                "within has no effect without like",
                where="SamplingConfig.within",
                saw=str(self.within),
                fix="add the name that others should be like, or leave it out.",
            )
        if self.like and self.within is None:
            object.__setattr__(self, "within", 1)

    @property
    def limits_length(self) -> bool:
        """Whether the lengths are not the default ones."""
        return (self.min_length, self.max_length) != (1, 50)

    @property
    def has_wishes(self) -> bool:
        """Whether whole names have to be as wished, so that they may be rare."""
        return bool(self.suffix or self.contains or self.matching or self.like)


class Trial(NamedTuple):
    """What a sampler found when it was tried out.

    possible:  share of the model's names that the prefix tree leaves; only those are attempted.
    """

    accepted: int
    attempts: int
    possible: float


class _EnoughError(Exception):
    """A trial ends."""


class Sampler:
    """Samples any part of an endless list of names: name number i of a seed is always the same."""

    def __init__(
        self,
        model: Model,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        accepts: NamePredicate | None = None,
        max_active: int = MAX_ACTIVE,
        wishes: Sequence[Wish] = (),
        rarity: int | None = None,
    ) -> None:
        """A sampler with these options, of which `count` is not used.

        accepts:     which names are accepted, besides those options; others are sampled anew.
        wishes:      those beside `suffix`, `contains` and `like`; that of `matching` is among them.
        max_active:  names that are computed together; few are quicker where only a few are wanted. With
                     another number, log-probabilities may differ in their last bit.
        rarity:      that of the prefix tree, else `prefix_tree.RARITY`. With a small one the first names come
                     sooner; they are others.

        Raises ConfigError if no name satisfies the options, DataError if the vocabulary is not the model's,
        and TrainingError if the model's probabilities are not finite.
        """
        if model.vocabulary_size != vocabulary.size:
            raise DataError(
                "model.vocabulary",
                "the model and the vocabulary have different numbers of characters",
                saw=f"{model.vocabulary_size} and {vocabulary.size}, the end token included",
                fix="sample with the vocabulary of the model.",
            )
        self._seed = config.seed
        constraints = Constraints.build(
            vocabulary,
            prefix=vocabulary.spell(config.prefix),
            min_length=config.min_length,
            max_length=config.max_length,
            allowed=vocabulary.spell(config.allowed),
            forbidden=vocabulary.spell(config.forbidden),
            trimmed=config.trimmed,
            truncate=config.truncate,
            temperature=config.temperature,
        )
        processor = LogitsProcessor(constraints, config.temperature, config.top_k, config.top_p)
        if config.matching and not wishes:
            raise ValueError("matching is a wish to be passed along: it is compiled outside of this package")
        self._wishes = None
        if together := [*_wishes(config, vocabulary), *wishes]:
            self._wishes = Wishes.build(together, constraints, vocabulary.size)
        tree = PrefixTree.build(model, processor, accepts, self._wishes, rarity)
        fitting = max(STATE_BYTES // row_bytes(tree.prefixes.state), MIN_ACTIVE)
        active = min(fitting, max_active, 1 + WEIGHT_ELEMENTS // model.vocabulary_size)
        self._context = SamplingContext(model, processor, tree, active, accepts)

    def names(
        self, start: int, stop: int, threads: int = 1, on_progress: OnProgress | None = None
    ) -> Iterator[SampledNames]:
        """The names from number `start` to before number `stop`, in their order, a block or a part at a time.

        threads:      sample so many blocks at a time; the names are the same with any number. At most twice
                      as many wait for the consumer.
        on_progress:  called often with the number of names that ended since, in the thread that sampled them.
                      What it raises ends the sampling.

        Raises TrainingError as above.
        """
        parts = (
            (
                number,
                max(start - number * NAMES_PER_BLOCK, 0),
                min(stop - number * NAMES_PER_BLOCK, NAMES_PER_BLOCK),
            )
            for number in range(start // NAMES_PER_BLOCK, -(-stop // NAMES_PER_BLOCK))
        )
        is_abandoned = threading.Event()

        def report(ended: int) -> None:
            if is_abandoned.is_set():
                raise CancelledError  # nobody waits for this block
            if on_progress:
                on_progress(ended)

        if threads == 1:
            yield from (self._block(*part, report) for part in parts)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="block") as executor:
            blocks: deque[Future[SampledNames]] = deque()
            try:
                for part in parts:
                    if len(blocks) == 2 * threads:
                        yield blocks.popleft().result()
                    blocks.append(executor.submit(self._block, *part, report))
                while blocks:
                    yield blocks.popleft().result()
            finally:
                is_abandoned.set()
                for future in blocks:
                    future.cancel()

    def try_out(self, goes_on: Callable[[int, int], bool]) -> Trial:
        """Draws names, to be forgotten, until `goes_on` is false; it gets the attempts accepted and rejected.

        Without wishes nothing is drawn. Raises TrainingError as above.
        """
        if self._wishes is None:
            return Trial(0, 0, 1.0)
        accepted = rejected = 0

        def note(accepted_so_far: int, rejected_so_far: int) -> None:
            nonlocal accepted, rejected
            accepted, rejected = accepted_so_far, rejected_so_far
            if not goes_on(accepted, rejected):
                raise _EnoughError

        with contextlib.suppress(_EnoughError):
            self._block(0, 0, NAMES_PER_BLOCK, lambda _ended: None, note)
        return Trial(accepted, accepted + rejected, self._context.tree.cumulative[-1].item())

    def _block(
        self,
        number: int,
        start: int,
        stop: int,
        on_progress: OnProgress,
        on_attempts: OnAttempts | None = None,
    ) -> SampledNames:
        """The names from `start` to before `stop` of a block, each in [0, NAMES_PER_BLOCK]."""
        stream = RandomStream(self._seed, number)
        if self._wishes is None:
            return sample_block(self._context, stream, start, stop, on_progress)
        return sample_wished_block(self._context, self._wishes, stream, start, stop, on_progress, on_attempts)


def sample(
    model: Model,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    threads: int = 1,
    accepts: NamePredicate | None = None,
    wishes: Sequence[Wish] = (),
) -> SampledNames:
    """The first `config.count` names. Raises as `Sampler` does."""
    sampler = Sampler(model, vocabulary, config, accepts, wishes=wishes)
    return concatenate_samples(sampler.names(0, config.count, threads))


def concatenate_samples(samples: Iterable[SampledNames]) -> SampledNames:
    """All samples as one."""
    parts = list(samples)
    lengths = np.concatenate([np.zeros(0, np.int64), *(names.lengths for names, _ in parts)])
    tokens = np.concatenate([np.zeros(0, np.int32), *(names.tokens for names, _ in parts)])
    starts = [names.starts for names, _ in parts if names.starts is not None]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    names = EncodedNames(tokens, offsets, starts=np.concatenate(starts) if starts else None)
    return SampledNames(names, np.concatenate([np.zeros(0), *(log_p for _, log_p in parts)]))


def capitalize_first(name: str) -> str:
    """The name with its first letter as a capital, and the rest as it is."""
    return name[:1].title() + name[1:]


def _wishes(config: SamplingConfig, vocabulary: Vocabulary) -> Iterator[Wish]:
    """The wishes for texts. Raises ConfigError for a character that is not in the vocabulary."""

    def tokens(name: str) -> Integers:
        text = vocabulary.spell(getattr(config, name))
        check_known(name, text, vocabulary.characters)
        return vocabulary.encode([text]).tokens

    if config.suffix:
        ends = automaton.ending_with(tokens("suffix"), vocabulary.size)
        yield Wish(f"suffix {config.suffix!r}", ends)
    if config.contains:
        has = automaton.containing(tokens("contains"), vocabulary.size)
        yield Wish(f"contains {config.contains!r}", has)
    if config.like and config.within is not None:
        near = automaton.similar_to(tokens("like"), config.within, vocabulary.size)
        yield Wish(f"like {config.like!r} within {config.within}", near)
