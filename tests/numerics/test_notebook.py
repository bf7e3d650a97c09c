"""The notebook's recipe: its own output, its own bits, and a training that goes on as if it never stopped."""

import hashlib
import importlib.util
import io
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import notebook
from rnn_core.errors import ConfigError, DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.notebook import (
    NotebookConfig,
    NotebookParameters,
    NotebookReport,
    NotebookState,
    kernel,
    shuffled_order,
    train,
    transcript,
)
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary

HERE = Path(__file__).parent
CORPORA = HERE.parents[1] / "data" / "corpora"
ITERATION_0 = json.loads((HERE / "golden" / "notebook_iteration_0.json").read_text("utf-8"))
TRACE = (HERE / "golden" / "notebook_trace_bundled_corpora.txt").read_text("utf-8")
SAME_ON_EVERY_KERNEL, _, _ = TRACE.partition("Iteration: 18000")  # with what 16,000 sampled
NOTEBOOK_LETTERS = Vocabulary(tuple(ITERATION_0["vocab"]))

# What the arithmetic of the machine that wrote the trace gives for `arithmetic()`: NumPy's AVX-512 loops and
# OpenBLAS's SkylakeX kernels. Who gets the same has the same roundings, and so the same trace to its end.
ARITHMETIC_OF_THE_TRACE = "475b18a9bf722b43"

# Those of OpenBLAS that this processor can run; another BLAS does not care.
EXTENSIONS = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
AVX2, AVX512 = (bool(names & set(EXTENSIONS)) for names in ({"X86_V3", "AVX2"}, {"X86_V4", "AVX512_SKX"}))
KERNELS = ["Prescott", *["Sandybridge", "Haswell", "Zen"] * AVX2, *["SkylakeX"] * AVX512]


def loaded(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


reference = loaded(HERE / "notebook_reference.py")


def bundled_names():
    return [
        name
        for corpus in ("argentine", "dinosaurs")
        for name in (CORPORA / f"{corpus}.txt").read_text("utf-8").splitlines()
    ]


def arithmetic():
    """A digest of what this process makes of the operations that kernels round differently."""
    rng = np.random.RandomState(0)
    digest = hashlib.sha256()
    values = rng.randn(20_000)
    for function in (np.tanh, np.exp, lambda x: np.log(np.abs(x))):
        digest.update(function(values).tobytes())
    for shape in ((50, 50), (54, 50), (50, 54)):
        for _ in range(20):
            matrix = rng.randn(*shape)
            digest.update(np.dot(matrix, rng.randn(shape[1], 1)).tobytes())
            digest.update(np.dot(matrix.T, rng.randn(shape[0], 1)).tobytes())
    return digest.hexdigest()[:16]


def whole_transcript():
    names = bundled_names()
    vocabulary = Vocabulary.from_names(names)
    config = NotebookConfig()
    shuffled = vocabulary.encode(names).take(shuffled_order(config, vocabulary.size, len(names)))
    *_, last = progress = list(train(config, vocabulary.size, shuffled))
    reports = [now.report for now in progress if now.report]
    sources = {"names": 3_000, "dinos": 1_318}
    return transcript(
        vocabulary.characters, shuffled, reports, config.iterations, sources, last.state.parameters
    )


def differences(names, vocabulary_size, iterations, hidden_size, seed, clip=5.0, report_every=60):
    """What differs from the plain loop: nothing, if all is well. `names` are lists of tokens, unshuffled."""
    config = NotebookConfig(
        iterations=iterations,
        hidden_size=hidden_size,
        seed=seed,
        clip=clip,
        report_every=report_every,
        names_per_report=2,
    )
    plain = reference.train(
        names, vocabulary_size, iterations, hidden_size, seed, clip, report_every=report_every, report_names=2
    )
    order = shuffled_order(config, vocabulary_size, len(names))
    ours = train(config, vocabulary_size, EncodedNames.from_lists(names).take(order))
    found = []
    for now in ours:
        theirs = next(step for step in plain if step.iteration == now.iteration)
        sampled = theirs.names and [[token for token in name if token] for name in theirs.names]
        if (now.report and now.report.names) != sampled:
            found.append(f"names of iteration {now.iteration}")
        if now.smoothed_loss != theirs.smoothed_loss:
            found.append(f"loss of iteration {now.iteration}")
        for name, value in now.state.parameters._asdict().items():
            if not np.array_equal(value, theirs.parameters[name]):
                found.append(f"{name} of iteration {now.iteration}")
    return found


def bundled_differences(iterations, seed=42, hidden_size=50):
    names = bundled_names()
    vocabulary = Vocabulary.from_names(names)
    return differences(as_lists(vocabulary.encode(names)), vocabulary.size, iterations, hidden_size, seed)


def as_lists(names):
    bounds = names.offsets.tolist()
    return [names.tokens[start:stop].tolist() for start, stop in pairwise(bounds)]


@pytest.fixture(scope="module")
def on_kernel():
    """Runs a function of this file in a process whose OpenBLAS takes the named kernel."""

    def run(kernel, function, *arguments):
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
        command = [sys.executable, __file__, json.dumps([function, *arguments])]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])

    return run


# --- what the notebook printed ---


def test_iteration_0_comes_out_as_the_notebook_printed_it():
    config = NotebookConfig(iterations=1)
    count, place = ITERATION_0["n_examples"], ITERATION_0["example0_original_index"]
    order = shuffled_order(config, NOTEBOOK_LETTERS.size, count)
    assert order[0] == place
    unknown = ["Nobody"] * count
    unknown[place] = ITERATION_0["example0"]
    names = NOTEBOOK_LETTERS.encode(unknown).take(order)
    (only,) = train(config, NOTEBOOK_LETTERS.size, names)
    assert f"{only.smoothed_loss:f}" == ITERATION_0["printed_loss"]
    assert only.smoothed_loss == pytest.approx(ITERATION_0["smooth_loss"], rel=1e-14)
    printed = [notebook.printed_name(name, NOTEBOOK_LETTERS.characters) for name in only.report.names]
    assert printed == ITERATION_0["samples"]


def test_through_iteration_16000_the_trace_comes_out_as_the_notebook_printed_it():
    assert whole_transcript().startswith(SAME_ON_EVERY_KERNEL)


def test_the_whole_trace_comes_out_with_the_arithmetic_that_wrote_it(on_kernel):
    if not AVX512 or on_kernel("SkylakeX", "arithmetic") != ARITHMETIC_OF_THE_TRACE:
        pytest.skip("no AVX-512 here, or another BLAS: only iterations 0 to 16,000 can be compared")
    assert on_kernel("SkylakeX", "whole_transcript") == TRACE


# --- bit for bit the plain loop ---


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_every_bit_is_that_of_the_plain_loop(seed):
    assert bundled_differences(200, seed) == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_bit_is_that_of_the_plain_loop_on_other_kernels(kernel, on_kernel):
    assert on_kernel(kernel, "bundled_differences", 130) == []


def test_every_bit_is_that_of_the_plain_loop_with_a_layer_that_blas_takes_in_pieces():
    assert bundled_differences(20, hidden_size=300) == []


@st.composite
def small_trainings(draw):
    vocabulary_size = draw(st.one_of(st.integers(2, 20), st.sampled_from([129, 300])))
    name = st.lists(st.integers(1, vocabulary_size - 1), max_size=12)
    return {
        "names": draw(st.lists(name, min_size=1, max_size=8)),
        "vocabulary_size": vocabulary_size,
        "iterations": draw(st.integers(1, 120)),
        "hidden_size": draw(st.integers(1, 20)),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "clip": draw(st.sampled_from([1e-3, 0.3, 5.0])),
        "report_every": draw(st.integers(1, 150)),
    }


@settings(max_examples=40)
@given(small_trainings())
def test_every_bit_is_that_of_the_plain_loop_for_names_of_any_kind(training):
    assert differences(**training) == []


def test_every_bit_is_that_of_the_plain_loop_where_einsum_fuses_multiply_and_add(monkeypatch):
    monkeypatch.setattr(kernel, "_einsum_rounds_every_product", lambda: False)
    assert bundled_differences(60) == []


# --- going on ---


@pytest.fixture(scope="module")
def small():
    """A configuration with reports and other yields at many places, names, and what an unbroken run gives."""
    names = Vocabulary.from_names(bundled_names()).encode(bundled_names()[::150])
    config = NotebookConfig(iterations=330, hidden_size=9, report_every=70, names_per_report=3)
    return config, 54, names


def final(progress):
    """The bytes of the last state, and all reports."""
    progress = list(progress)
    arrays = progress[-1].state.arrays()
    return {name: value.tobytes() for name, value in arrays.items()}, [p.report for p in progress if p.report]


@pytest.mark.parametrize("place", range(8))
def test_a_resumed_training_ends_with_the_bytes_of_one_that_never_stopped(small, place):
    config, vocabulary_size, names = small
    whole, reports = final(train(config, vocabulary_size, names))
    seen = []
    for number, now in enumerate(train(config, vocabulary_size, names)):
        seen += [now.report] if now.report else []
        if number == place:
            break
    file = io.BytesIO()
    np.savez(file, **now.state.arrays(), allow_pickle=False)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        state = NotebookState.from_arrays(config, vocabulary_size, dict(stored))
    resumed, later = final(train(config, vocabulary_size, names, state))
    assert resumed == whole
    assert seen + later == reports


def test_stored_arrays_do_not_change_while_training_continues(small):
    config, vocabulary_size, names = small
    steps = train(config, vocabulary_size, names)
    arrays = next(steps).state.arrays()
    before = {name: value.tobytes() for name, value in arrays.items()}
    list(steps)
    assert before == {name: value.tobytes() for name, value in arrays.items()}


def test_a_finished_training_is_yielded_once_as_it_is(small):
    config, vocabulary_size, names = small
    *_, last = train(config, vocabulary_size, names)
    arrays = last.state.arrays()
    (again,) = train(config, vocabulary_size, names, last.state)
    assert (again.iteration, again.report) == (config.iterations - 1, None)
    for name, value in again.state.arrays().items():
        assert value.tobytes() == arrays[name].tobytes()


def test_progress_comes_at_least_every_hundred_iterations_and_at_every_report(small):
    config, vocabulary_size, names = small
    progress = list(train(config, vocabulary_size, names))
    assert [now.iteration for now in progress if now.report] == [0, 70, 140, 210, 280]
    assert all(len(now.report.names) == 3 for now in progress if now.report)
    places = [-1, *(now.iteration for now in progress)]
    assert max(np.diff(places)) <= 100
    assert places[-1] == config.iterations - 1 == progress[-1].iterations - 1


DAMAGES = {
    "nothing": lambda arrays: arrays.clear(),
    "a parameter missing": lambda arrays: arrays.pop("Waa"),
    "an unknown array": lambda arrays: arrays.update(extra=np.zeros(3)),
    "another hidden size": lambda arrays: arrays.update(Waa=np.zeros((8, 8))),
    "another vocabulary": lambda arrays: arrays.update(Wya=np.zeros((53, 9))),
    "a row for a column": lambda arrays: arrays.update(ba=arrays["ba"].T),
    "single precision": lambda arrays: arrays.update(Wax=arrays["Wax"].astype(np.float32)),
    "a nan": lambda arrays: arrays["Wya"].__setitem__((1, 2), np.nan),
    "an infinite loss": lambda arrays: arrays.update(smoothed_loss=np.array(np.inf)),
    "an infinite state": lambda arrays: arrays["hidden"].__setitem__(0, np.inf),
    "iterations to come": lambda arrays: arrays.update(iteration=np.array(331)),
    "iterations below none": lambda arrays: arrays.update(iteration=np.array(-1)),
    "iterations by halves": lambda arrays: arrays.update(iteration=np.array(1.5)),
    "a generator of another size": lambda arrays: arrays.update({"rng.key": np.zeros(5, np.uint32)}),
    "a generator beyond its end": lambda arrays: arrays.update({"rng.position": np.array(700)}),
    "objects": lambda arrays: arrays.update(by=np.array([[None]] * 54)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_arrays_that_are_not_a_checkpoint_are_refused(small, damage):
    config, vocabulary_size, names = small
    arrays = next(train(config, vocabulary_size, names)).state.arrays()
    damage(arrays)
    with pytest.raises(DataError) as caught:
        NotebookState.from_arrays(config, vocabulary_size, arrays)
    assert caught.value.saw


# --- the quirks ---


def test_the_first_list_of_a_shuffle_is_that_of_a_python_list():
    config = NotebookConfig(hidden_size=3)
    rng = np.random.RandomState(config.seed)
    rng.randn(3 * 7 + 3 * 3 + 7 * 3)
    listed = list(range(500))
    rng.shuffle(listed)
    assert shuffled_order(config, 7, 500).tolist() == listed


def test_a_name_begins_in_the_state_that_the_one_before_it_ended_in(small):
    config, vocabulary_size, names = small
    first = next(train(config, vocabulary_size, names)).state
    assert np.abs(first.hidden).max() > 0
    forgetful = NotebookState.from_arrays(config, vocabulary_size, first.arrays())
    forgetful.hidden[:] = 0
    carried = next(train(config, vocabulary_size, names, first)).smoothed_loss
    assert next(train(config, vocabulary_size, names, forgetful)).smoothed_loss != carried


def test_the_smoothed_loss_starts_from_ten_characters():
    assert NotebookState.start(NotebookConfig(), 54, 1).smoothed_loss == pytest.approx(10 * math.log(54))


def test_a_name_is_cut_at_50_and_ends_without_its_end_token():
    config = NotebookConfig(iterations=1, names_per_report=60)
    (only,) = train(config, 54, EncodedNames.from_lists([[1, 2, 3]]))
    lengths = [len(name) for name in only.report.names]
    assert max(lengths) == 50
    assert min(lengths) < 50
    assert all(token for name in only.report.names for token in name)


def test_the_first_letter_is_printed_as_a_capital():
    letters = ("\n", " ", "a", "ß")
    assert notebook.printed_name([2, 1, 2], letters) == "A a"
    assert notebook.printed_name([3, 2], letters) == "Ssa"
    assert notebook.printed_name([], letters) == ""


def test_no_parameter_moves_further_than_the_clipped_gradient_allows(small):
    config, vocabulary_size, names = small
    config = replace(config, iterations=1, clip=1e-4)
    before = NotebookState.start(config, vocabulary_size, names.count).parameters
    (only,) = train(config, vocabulary_size, names)
    furthest = [np.abs(new - old).max() for new, old in zip(only.state.parameters, before, strict=True)]
    assert max(furthest) == pytest.approx(config.learning_rate * config.clip)


def test_the_end_token_is_never_read(small):
    config, vocabulary_size, names = small
    before = NotebookState.start(config, vocabulary_size, names.count).parameters
    *_, last = train(config, vocabulary_size, names)
    assert np.array_equal(last.state.parameters.Wax[:, 0], before.Wax[:, 0])


def test_as_a_network_it_finds_names_as_probable_as_the_notebook_does(small):
    config, vocabulary_size, names = small
    *_, last = train(config, vocabulary_size, names)
    parameters = last.state.parameters._asdict()
    expected = []
    for name in as_lists(names):
        nowhere = np.zeros((config.hidden_size, 1))  # outside of training a name begins in the zero state
        loss, *_ = reference.forward(parameters, [None, *name], [*name, 0], nowhere)
        expected.append(-loss)
    found = scoring.log_probabilities(notebook.as_network(last.state.parameters), names)
    assert found == pytest.approx(expected, rel=1e-12)


# --- the transcript ---


def test_the_transcript_of_a_short_training_shows_only_the_names_it_reached():
    names = EncodedNames.from_lists([[1, 2], [2]])
    printed = transcript(("\n", "a", "b"), names, [NotebookReport(0, 1.5, [[2, 1]])], 2, {"names": 2})
    assert printed.splitlines() == [
        "names 2 vocab 3",
        "j =  0 idx =  0",
        "single_example = ab",
        "single_example_chars ['a', 'b']",
        "single_example_ix [1, 2]",
        " X =  [None, 1, 2] ",
        " Y =        [1, 2, 0] ",
        "",
        "Iteration: 0, Loss: 1.500000",
        "",
        "Ba",
        "",
        "",
        "j =  1 idx =  1",
        "last Ba",
    ]


def test_the_transcript_ends_with_the_sums_of_the_parameters():
    parameters = NotebookParameters(*(np.full((2, 1), -0.5) for _ in NotebookParameters._fields))
    printed = transcript(("\n", "a"), EncodedNames.from_lists([[1]]), [], 1, {}, parameters)
    assert printed.splitlines()[-6:] == ["", *(f"{name} -1.0 1.0" for name in NotebookParameters._fields)]


# --- what bad input gets ---


@pytest.mark.filterwarnings("error")
def test_a_training_that_diverges_says_where_and_what_to_change(small):
    config, vocabulary_size, names = small
    steps = train(replace(config, learning_rate=1e308), vocabulary_size, names)
    with pytest.raises(TrainingError) as caught:
        list(steps)
    assert "iteration" in caught.value.where
    assert "1e+308" in caught.value.where
    assert "learning_rate" in caught.value.fix


@pytest.mark.filterwarnings("error")
def test_a_last_step_into_infinity_is_found():
    config = NotebookConfig(iterations=1, learning_rate=1e308, names_per_report=0)
    with pytest.raises(TrainingError):
        list(train(config, 54, EncodedNames.from_lists([[1] * 40])))


def test_there_has_to_be_a_name():
    with pytest.raises(DataError):
        next(train(NotebookConfig(), 54, EncodedNames.from_lists([])))


@pytest.mark.parametrize("token", [0, 54])
def test_tokens_have_to_be_in_the_vocabulary(token):
    with pytest.raises(DataError):
        next(train(NotebookConfig(), 54, EncodedNames.from_lists([[1, token]])))


@pytest.mark.parametrize(
    "option",
    [
        {"iterations": 0},
        {"hidden_size": 0},
        {"hidden_size": 5.0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"clip": -1.0},
        {"report_every": 0},
        {"names_per_report": -1},
        {"max_length": 0},
        {"smoothing_characters": 0},
        {"seed": 2**32},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused(option):
    with pytest.raises(ConfigError) as caught:
        NotebookConfig(**option)
    assert next(iter(option)) in caught.value.where


if __name__ == "__main__":
    function, *arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[function](*arguments)))
