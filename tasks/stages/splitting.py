"""The stage `examples`: names as numbers, shuffled and split."""

from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.keys import Recipe
from artifacts.registry import Reference
from artifacts.store import Artifact, Store
from data import schemas
from data.config import ExamplesConfig, NotebookOrder
from data.examples import SPLITS, Arrangement, Borders, EarlierSplit, arrange, token_lists
from data.text.strings import check_fits_one_array, encode
from rnn_core.errors import DataError
from rnn_core.notebook import NotebookConfig, shuffled_order
from tasks.config.warm_start import WarmExamplesConfig
from tasks.core.stage import StageContext, stage
from tasks.models.warm_start import BASELINE, choose_start, sized_by
from tasks.stages.corpora import NAMES
from tasks.stages.encoding import EXAMPLES, load_vocabulary
from tasks.stages.training import model


def resolve_start(
    store: Store, config: ExamplesConfig | NotebookOrder, *, validated: Artifact, vocabulary: Artifact
) -> dict[str, Artifact]:
    """The further inputs of examples: what their training starts from, if that is a champion, by role.

    champion:           the network of the champion.
    champion_examples:  that it was trained on: its names stay in their splits.

    A training that these names began or ended already, from a champion of that time or from scratch, is the
    answer: an unchanged run trains nothing, and a killed one goes on from where it began.

    Raises DataError if the registry is damaged.
    """
    if not isinstance(config, WarmExamplesConfig):
        return {}
    scratch = examples.recipe(config, {"validated": validated, "vocabulary": vocabulary})
    begun = _begun_start(store, config, scratch, vocabulary)
    return begun if begun is not None else choose_start(store, config.training, scratch, validated).inputs


def _begun_start(
    store: Store, config: WarmExamplesConfig, scratch: Recipe, vocabulary: Artifact
) -> dict[str, Artifact] | None:
    """What the latest training of these names started from that the store knows; None if it knows none.

    scratch:  the recipe of their examples without a champion.
    """
    for manifest in sorted(store.list("examples"), key=attrgetter("created_at"), reverse=True):
        recipe = manifest.recipe
        inputs = {role: digest for role, digest in recipe.inputs.items() if role not in BASELINE}
        if (recipe.version, recipe.config, inputs) != (scratch.version, scratch.config, scratch.inputs):
            continue
        made = store.handle(Reference("examples", recipe.key, manifest.digest))
        start = {role: store.handle(of_start) for role in BASELINE if (of_start := made.input(role))}
        of_model = model.resolve_inputs(store, config.training, {"examples": made, "vocabulary": vocabulary})
        trained, fault, of_training = model.find(store, config.training, of_model)
        is_begun = bool(fault) or store.checkpoint("model", of_training.key).exists()
        if trained or (is_begun and all(store.resolve(of_start.reference)[0] for of_start in start.values())):
            return start
    return None


def _check_equal_weights(weights: pa.ChunkedArray) -> None:
    """Raise DataError if names have weights: the notebook reads each as often as it is in the list."""
    lightest, heaviest = pc.min_max(weights).as_py().values()
    if lightest != heaviest:
        raise DataError(
            "notebook.weights",
            "the notebook recipe cannot use weights, and these names have some",
            saw=f"weights from {lightest:g} to {heaviest:g}",
            fix="take the weights out of the sources and of [merging], or choose the default recipe.",
        )


@stage(version=4, resolve_baseline=resolve_start)
def examples(
    context: StageContext,
    config: ExamplesConfig | NotebookOrder,
    *,
    validated: Artifact,
    vocabulary: Artifact,
    champion: Artifact | None = None,  # noqa: ARG001  # the stage `model` goes on from it
    champion_examples: Artifact | None = None,
) -> None:
    """The names as numbers, shuffled and split into training, validation and test."""
    names = validated.table(NAMES, ["name", "source", "weight"])
    check_fits_one_array(names["name"])
    known = load_vocabulary(vocabulary)
    if isinstance(config, NotebookOrder):
        _check_equal_weights(names["weight"])
        notebook = NotebookConfig(hidden_size=config.hidden_size, seed=config.seed)
        order = shuffled_order(notebook, known.size, len(names))
        arrangement = Arrangement(order, np.zeros(len(names), np.int32))
    else:
        earlier = _earlier_split(champion_examples, config) if champion_examples else None
        arrangement = arrange(names["name"], config, earlier)
    shuffled = names.take(pa.array(arrangement.order)).combine_chunks()
    split = pa.DictionaryArray.from_arrays(pa.array(arrangement.split, pa.int32()), pa.array(SPLITS))
    context.write_table(
        EXAMPLES,
        schemas.EXAMPLES,
        pa.table(
            {
                "name": shuffled["name"],
                "source": shuffled["source"],
                "split": split,
                "tokens": token_lists(encode(shuffled["name"], known)),
                "weight": shuffled["weight"],
            }
        ),
    )
    sizes = np.bincount(arrangement.split, minlength=len(SPLITS)).tolist()
    context.writer.metadata["names"] = dict(zip(SPLITS, sizes, strict=True))
    if champion_examples:
        context.writer.metadata["sized_by"] = sized_by(champion_examples)
        context.writer.metadata["borders"] = arrangement.borders._asdict()


def _earlier_split(artifact: Artifact, config: ExamplesConfig) -> EarlierSplit:
    """The split of the champion's names."""
    table = artifact.table(EXAMPLES, ["name", "split"])
    split = pc.index_in(table["split"].cast(pa.string()), value_set=pa.array(SPLITS)).to_numpy()
    stored = artifact.manifest().metadata.get("borders")
    borders = Borders(**stored) if stored else arrange(table["name"], config).borders
    return EarlierSplit(table["name"], split, borders)
