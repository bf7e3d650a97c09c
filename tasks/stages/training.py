"""The stage `model`: training, from wherever a killed run left it, to parameters and a history."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.model_file import MODEL, network_arrays
from artifacts.open_store import open_store
from artifacts.store import Artifact, Store
from data import schemas
from data.examples import encoded_names
from data.styles import style_numbers, styles_of_examples
from rnn_core import notebook
from rnn_core.metrics.scoring import cross_entropy_per_character
from rnn_core.nn import ensemble, network
from rnn_core.nn.cells import elman
from rnn_core.nn.ensemble import Networks
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import Styles
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import ResolvedTrainingConfig, TrainingConfig
from rnn_core.tree import leaves
from tasks.config.retrain import network_label
from tasks.core.stage import StageContext, stage
from tasks.models.champion import load_input, require_intact, short_name
from tasks.models.load import load_model
from tasks.models.model_input import ModelFile
from tasks.models.warm_start import choose_start, sized_by, warm_starts
from tasks.stages.checkpointing import Checkpoints
from tasks.stages.encoding import EXAMPLES, load_vocabulary

HISTORY = "history.parquet"


class Trained(NamedTuple):
    """A trained network, or an ensemble.

    history:  the columns of schemas.HISTORY.
    card:     what the manifest says of the model.
    styles:   that it learned; None if names have none.
    """

    networks: Networks
    history: pa.Table
    card: dict[str, Any]
    styles: Styles | None = None


def resolve_champion(
    store: Store, _config: object, *, examples: Artifact, **_others: Artifact
) -> dict[str, Artifact]:
    """The further input of a training that goes on from a champion: the one that its examples name."""
    reference = examples.input("champion")
    return {"champion": store.handle(reference)} if reference else {}


def size_defaults(
    config: TrainingConfig | notebook.NotebookConfig, *, examples: Artifact, **_others: Artifact
) -> Mapping[str, Any]:
    """The options that are chosen by the number of training names, as they are chosen for these examples."""
    if isinstance(config, notebook.NotebookConfig):
        return {}
    return config.defaults(sized_by(examples))


@stage(version=5, title=network_label, resolve_baseline=resolve_champion, resolve_defaults=size_defaults)
def model(
    context: StageContext,
    config: TrainingConfig | notebook.NotebookConfig,
    *,
    examples: Artifact,
    vocabulary: Artifact,
    champion: Artifact | None = None,
) -> None:
    """The network, trained on the examples, and the history of its loss."""
    if champion:
        store, fix = open_store(context.settings.store), "train from scratch: --training.start scratch"
        require_intact(store, champion.reference, "the model that the training starts from", fix)
    known = load_vocabulary(vocabulary)
    if isinstance(config, notebook.NotebookConfig):
        trained = _train_as_notebook(context, config, known, examples)
    else:
        start = _start_card(context, config, examples, champion)
        resolved = config.resolve(sized_by(examples))
        styles = _styles(examples) if config.styles == "sources" else None
        names, validation = (
            load_split(examples, split, known.size, styles) for split in ("train", "validation")
        )
        trained = _train_in_batches(context, resolved, known, names, validation, champion, styles)
        trained.card.update(start)
    context.writer.write_arrays(MODEL, network_arrays(trained.networks, known, trained.styles))
    context.write_table(HISTORY, schemas.HISTORY, trained.history)
    context.writer.metadata["model_card"] = {
        "hidden_size": trained.networks.hidden_size,
        "parameters": sum(leaf.size for leaf in leaves(trained.networks)),
        "dtype": str(trained.networks.dtype),
        **trained.card,
    }


def load_split(
    examples: Artifact, split: str, vocabulary_size: int = 0, styles: Styles | None = None
) -> EncodedNames:
    """The encoded names of a split, with their weights, and with their styles if there are some."""
    table = examples.table(EXAMPLES, ["split", "source", "tokens", "weight"])
    table = table.filter(pc.equal(table["split"].cast(pa.string()), split))
    names = encoded_names(table)
    return names.with_styles(style_numbers(table["source"], styles), vocabulary_size) if styles else names


def _styles(examples: Artifact) -> Styles | None:
    """Every source as a style; None if the names are all from one."""
    table = examples.table(EXAMPLES, ["split", "source", "weight"])
    is_training = pc.equal(table["split"].cast(pa.string()), "train")
    return styles_of_examples(table["source"], table["weight"], is_training)


def _train_as_notebook(
    context: StageContext, config: notebook.NotebookConfig, vocabulary: Vocabulary, examples: Artifact
) -> Trained:
    from tasks.stages.notebook_training import train as train_as_notebook

    sources = examples.table(EXAMPLES, ["source"])["source"].combine_chunks()
    counts = np.bincount(sources.indices.to_numpy(), minlength=len(sources.dictionary)).tolist()
    names = load_split(examples, "train")
    per_source = dict(zip(sources.dictionary.to_pylist(), counts, strict=True))
    parameters, history = train_as_notebook(context, config, vocabulary, names, per_source)
    card = {"cell": elman.NAME, "steps": config.iterations}
    return Trained(notebook.as_network(parameters), history, card)


def _start_card(
    context: StageContext, config: TrainingConfig, examples: Artifact, champion: Artifact | None
) -> dict[str, str]:
    """What the training starts from and why, for the card; in the log as well. Empty without a choice."""
    if config.start == "scratch":
        return {}
    store = open_store(context.settings.store)
    validated = load_input(store, examples, "validated")
    start = choose_start(store, config, examples.manifest().recipe, validated) if validated else None
    # Another champion since a killed run began, or none: it goes on from where it began.
    reason = start.reason if start and start.champion == champion else "as it began"
    what = f"the champion {short_name(champion.reference)}" if champion else "scratch"
    context.writer.metadata["warm_starts"] = warm_starts(champion) + 1 if champion else 0
    context.notice(f"the training starts from {what}: {reason}")
    return {"start": f"{what}: {reason}"}


def _initial_networks(
    config: ResolvedTrainingConfig, vocabulary: Vocabulary, champion: Artifact, styles: Styles | None
) -> Networks:
    """The networks of the champion; of what it does not have, those of a start from scratch.

    It may not have a character, or a style: both are found by name.
    """
    from rnn_core.train.state import random_parameters

    trained = load_model(ModelFile(champion.folder / MODEL, champion))
    known = {character: token for token, character in enumerate(trained.vocabulary.characters)}
    shared = [(known[c], token) for token, c in enumerate(vocabulary.characters) if c in known]
    before, now = np.array(shared).T
    before_styles, now_styles = (known.names if known else () for known in (trained.models.styles, styles))
    shared_styles = [
        (before_styles.index(name), number) for number, name in enumerate(now_styles) if name in before_styles
    ]
    members = ensemble.members_of(trained.models.network)
    return ensemble.join(
        tuple(
            network.transfer(
                member,
                before,
                random_parameters(config.member(number), vocabulary.size, len(now_styles)),
                now,
                shared_styles,
            )
            for number, member in enumerate(members)
        )
    )


def _trained_members(numbers: Sequence[int], count: int) -> str:
    """Which of so many members are trained at the moment, before the rest of a note; nothing of one alone."""
    if count == 1:
        return ""
    label = "member" if len(numbers) == 1 else "members"
    return f"{label} {', '.join(map(str, numbers))} of {count}, "


def _train_in_batches(
    context: StageContext,
    from_scratch: ResolvedTrainingConfig,
    vocabulary: Vocabulary,
    names: EncodedNames,
    validation: EncodedNames,
    champion: Artifact | None,
    styles: Styles | None,
) -> Trained:
    from rnn_core.train.members import EnsembleTraining
    from rnn_core.train.processes import worthwhile_processes

    config = from_scratch.warm(names.count) if champion else from_scratch
    checkpoints = Checkpoints(context)
    training = EnsembleTraining(config, vocabulary.size, len(styles.names) if styles else 0)
    members = checkpoints.load(training.from_arrays, training.check_layout)
    if not members:
        initial = _initial_networks(config, vocabulary, champion, styles) if champion else None
        members = training.start(initial)
    context.notice(
        f"{names.count:,} names to learn: {config.cell}, {config.layers} × {config.hidden_size} units, "
        f"{config.optimizer}, batches of {config.batch_size}, learning rate {config.learning_rate:g}, "
        f"dropout {config.dropout:g} and {config.recurrent_dropout:g}, at most {config.epochs} epochs"
        + (f", {config.members} members" if config.members > 1 else "")
    )
    if styles:
        shares = (f"{name} {share:.1%}" for name, share in zip(styles.names, styles.shares, strict=True))
        context.notice(f"each list is a style: {', '.join(shares)}")
    if names.weights is not None:
        lightest, heaviest = names.weights.min(), names.weights.max()
        context.notice(f"they have weights: one counts as {lightest:.3g} to {heaviest:,.3g} names")
    if members.steps:
        context.notice(f"going on from the checkpoint of step {members.steps:,}")
    processes = worthwhile_processes(config, names, context.settings.workers)
    for now in training.run(names, validation, members, processes):
        best = "" if math.isnan(now.best_validation_loss) else f", validation {now.best_validation_loss:.3f}"
        trained = _trained_members(now.numbers, config.members)
        epochs = f"epoch {now.epoch} of at most {now.epochs}"
        note = f"{trained}{epochs}, loss {now.training_loss:.3f}{best} nats/char"
        context.progress(now.step, now.steps_total, note)
        at = f"training, step {now.step:,} of at most {now.steps_total:,}"
        checkpoints.save_if_due(members.arrays, at)
    columns = members.history_arrays
    history = {
        "step": columns["step"],
        "epoch": columns["epoch"].astype(np.float64),
        "training_loss": columns["training_loss"],
        "validation_loss": pa.array(columns["validation_loss"], from_pandas=True),  # nan is null
        "learning_rate": columns["learning_rate"],
    }
    networks = members.networks
    card: dict[str, Any] = {
        **from_scratch.size_dependent,
        "steps_done": members.steps,
        "epochs_done": members.epochs,
    }
    if config.members > 1:
        card["members"] = config.members
    if validation.count:
        card["best_validation_nats_per_character"] = (
            cross_entropy_per_character(networks, validation)
            if config.members > 1
            else members.states[0].best_validation_loss
        )
    if styles:
        card["styles"] = dict(zip(styles.names, styles.shares, strict=True))
    return Trained(networks, pa.table(history), card, styles)
