"""Seconds until names that were held out are predicted as well as stated: ours, PyTorch, a Transformer.

    python -m benchmarks.time_to_quality [--names bundled] [--loss 1.65] [--rounds 3]

A tenth of the distinct names is validation, a tenth is test, the rest is trained on. The clock runs from the
first step to the end of the first epoch after which the validation loss, in nats per character with the end
token, is no higher; scoring is included, imports are not. Each contestant is alone in its process, and
they take turns; medians.

ours:           the default network for the list, on one core and on all.
PyTorch:        the default network and batches with AdamW, its dropouts and schedule, by `nn.GRU` on packed
                batches, with a thread for every core.
a Transformer:  as makemore trains one: 4 layers, 4 heads, 64 units, AdamW at 5e-4, batches of 32, no dropout.
"""

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks import CORES
from benchmarks.alone import result_of
from benchmarks.names import names
from benchmarks.quality import Split, split_at_random
from benchmarks.start import BETA_1, BETA_2, EPSILON, Start
from benchmarks.tables import line, rule
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import length_sorted_chunks, shuffled_batches
from rnn_core.nn import network
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_schedule
from rnn_core.train.config import Purpose, ResolvedTrainingConfig, TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.parts import steps_total
from rnn_core.train.state import TrainingState

ONE, ALL, TORCH, TRANSFORMER = "ours, one core", "ours", "PyTorch", "a Transformer"
CONTESTANTS = [ONE, ALL, TORCH, TRANSFORMER]
LONGEST_SECONDS = 60.0

Epochs = Iterator[float]
"""The validation loss after every epoch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="bundled", help="bundled, first, or a file, one name a line")
    parser.add_argument("--loss", type=float, default=1.65, help="nats per character")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(measured(arguments.alone, arguments.names, arguments.loss)))
        return
    print(f"Until {arguments.loss:g} nats per character, {CORES} cores:\n")
    print(line("", "seconds", "epochs", "validation then"), rule(4), sep="\n", flush=True)
    rounds = [
        [in_its_process(who, arguments.names, arguments.loss) for who in CONTESTANTS]
        for _ in range(arguments.rounds)
    ]
    for who, *results in zip(CONTESTANTS, *rounds, strict=True):
        seconds = statistics.median(result[0] for result in results)
        _, epochs, loss = results[0]
        reached = f"{seconds:.1f}" if loss <= arguments.loss else f"not within {seconds:.0f}"
        print(line(who, reached, epochs, f"{loss:.3f}"))


def in_its_process(contestant: str, list_of_names: str, loss: float) -> tuple[float, int, float]:
    """Seconds, epochs, and the validation loss then, or the best one if that was never enough."""
    words = ("--names", list_of_names, "--loss", str(loss))
    cores = 1 if contestant == ONE else CORES
    seconds, epochs, reached = result_of("time_to_quality", contestant, cores, *words)
    return seconds, epochs, reached


def measured(contestant: str, list_of_names: str, loss: float) -> tuple[float, int, float]:
    """The same, in this process."""
    split = split_at_random(names(list_of_names), seed=0)
    config, by_adamw = (
        TrainingConfig(optimizer=optimizer).resolve(split.training.count) for optimizer in (None, "adamw")
    )
    contestants: dict[str, Callable[[], Epochs]] = {
        ONE: lambda: ours(config, split),
        ALL: lambda: ours(config, split),
        TORCH: lambda: by_pytorch(by_adamw, split),
        TRANSFORMER: lambda: by_transformer(split),
    }
    epochs = contestants[contestant]()
    next(epochs)  # when everything is imported and made
    began, best, done = time.perf_counter(), math.inf, 0
    for reached in epochs:
        best, done = min(best, reached), done + 1
        if best <= loss or time.perf_counter() - began > LONGEST_SECONDS:
            break
    return time.perf_counter() - began, done, best


def ours(config: ResolvedTrainingConfig, split: Split) -> Epochs:
    yield math.nan
    for step in train(config, split.vocabulary_size, split.training, split.validation, processes=CORES):
        if not math.isnan(step.validation_loss):
            yield step.validation_loss


def by_pytorch(config: ResolvedTrainingConfig, split: Split) -> Epochs:
    """The network of a configuration, from the same parameters as ours, on the same batches."""
    import torch
    from torch.nn.functional import cross_entropy, dropout

    from benchmarks.pytorch import PyTorch

    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    begun, held_out = (
        starting(config, split.vocabulary_size, part) for part in (split.training, split.validation)
    )
    held_out = held_out._replace(batches=list(length_sorted_chunks(held_out.stream.rows, 4_096)))
    model = PyTorch(begun, packed=True)
    weights = {
        name: weight for part in (model.layer, model.output) for name, weight in part.named_parameters()
    }
    matrices = [weight for weight in weights.values() if weight.ndim > 1]
    biases = [weight for weight in weights.values() if weight.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True)
    recurrent = model.layer.weight_hh_l0
    steps = steps_total(config, split.training.count)
    schedule, step = build_schedule(config, steps), 0
    yield math.nan
    for epoch in itertools.count():
        batches = shuffled_batches(
            -begun.stream.rows, config.batch_size, config.rng(Purpose.SHUFFLING, epoch)
        )
        begun = begun._replace(batches=batches)
        for batch in range(min(len(batches), steps - step)):
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
            mask = dropout(torch.ones_like(recurrent), config.recurrent_dropout)
            kept = recurrent.detach().clone()
            recurrent.data.mul_(mask)
            hidden, targets = model.packed_states(begun, batch)
            loss = cross_entropy(model.output(dropout(hidden, config.dropout)), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            recurrent.data.copy_(kept)
            recurrent.grad.mul_(mask)
            torch.nn.utils.clip_grad_norm_(weights.values(), config.clip_norm)
            optimizer.step()
            step += 1
        with torch.no_grad():
            nats = 0.0
            for batch in range(len(held_out.batches)):
                hidden, targets = model.packed_states(held_out, batch)
                nats += cross_entropy(model.output(hidden), targets, reduction="sum").item()
        yield nats / float(held_out.stream.rows.sum())
        if step == steps:
            return


def by_transformer(split: Split) -> Epochs:
    from benchmarks.transformer import Makemore

    training = Makemore(split, CORES)
    yield math.nan
    while True:
        for _ in training.epoch():
            pass
        yield training.nats_per_character(split.validation)


def starting(config: ResolvedTrainingConfig, vocabulary_size: int, part: EncodedNames) -> Start:
    """The parameters that ours begins with, and the names of a split."""
    current = TrainingState.start(config, vocabulary_size).current
    parameters = network.trim_vocabulary(current, vocabulary_size)
    return Start(config.cell, part, BatchStream.from_names(part), [], parameters, None, None)


if __name__ == "__main__":
    main()
