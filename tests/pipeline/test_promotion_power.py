"""Small lists improve too: an equal model of a changed list is promoted, one that is much worse is not."""

import pytest

from benchmarks.promotion_power import WORSE, promoted_share


@pytest.mark.parametrize(("names", "repetitions"), [(60, 2_500), (400, 200), (4_000, 20)])
def test_an_equal_model_of_a_changed_list_is_promoted_in_nine_of_ten_cases_a_worse_one_in_one_of_twenty(
    names: int, repetitions: int
) -> None:
    assert promoted_share(names, 0.0, repetitions) >= 0.9
    assert promoted_share(names, WORSE, repetitions) <= 0.05
