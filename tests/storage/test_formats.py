import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import formats
from rnn_core.errors import DataError

SCHEMA = pa.schema([("name", pa.string())])
ARRAYS = {
    "W_hh": np.arange(6, dtype=np.float32).reshape(2, 3),
    "step": np.array(7),
    "empty": np.zeros((0, 4)),
}


def test_an_npz_has_the_same_bytes_on_every_python_and_machine():
    digest = hashlib.sha256(formats.arrays_as_bytes(ARRAYS)).hexdigest()
    assert digest == "37a4ae670aa37950fffb9b76224a936ea6d9bcf5220f45690133f3ac7c4a0900"


def test_arrays_come_back_as_they_were_for_numpy_alone(tmp_path):
    formats.write_arrays(tmp_path / "model.npz", ARRAYS)
    with np.load(tmp_path / "model.npz") as back:
        assert set(back.files) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(back[name], array)
            assert back[name].dtype == array.dtype


def test_an_object_array_is_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError):
        formats.arrays_as_bytes({"names": np.array(["Ana", None], dtype=object)})
    np.savez(tmp_path / "model.npz", names=np.array(["Ana", None], dtype=object))
    with pytest.raises(DataError):
        formats.read_arrays(tmp_path / "model.npz")


def test_a_flipped_bit_anywhere_in_an_npz_is_refused_or_changes_no_array(tmp_path):
    path = tmp_path / "model.npz"
    whole = formats.arrays_as_bytes(ARRAYS)
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= 1
        path.write_bytes(content)
        try:
            back = formats.read_arrays(path)
        except DataError:
            continue
        for name in set(back) & set(ARRAYS):
            np.testing.assert_array_equal(back[name], ARRAYS[name])


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_a_table_has_the_same_bytes_whatever_the_parts_it_is_written_in(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("parts")
    table = pa.table({"name": [f"name {number}" for number in range(sum(sizes))]}, SCHEMA)
    begins = [sum(sizes[:place]) for place in range(len(sizes))]
    parts = [table.slice(begin, size) for begin, size in zip(begins, sizes, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "ROWS_PER_GROUP", 3)
        patch.setattr(formats, "_ROWS_AT_ONCE", 6)
        rows = formats.write_parts(folder / "parts", formats.whole_groups(parts))
        formats.write_parts(folder / "whole", [table])
    assert rows == len(table)
    assert (folder / "parts").read_bytes() == (folder / "whole").read_bytes()


def test_long_rows_are_gathered_by_their_bytes(monkeypatch):
    monkeypatch.setattr(formats, "_BYTES_AT_ONCE", 10_000)
    parts = [pa.table({"name": ["x" * 1000] * 3}, SCHEMA) for _ in range(20)]
    tables = list(formats.whole_groups(iter(parts)))
    assert sum(map(len, tables)) == 60
    assert all(len(table) and table.nbytes < 2 * 10_000 for table in tables)


def test_a_flipped_bit_in_a_page_is_found_by_the_parquet_checksum(tmp_path):
    path = tmp_path / "names.parquet"
    formats.write_parts(path, [pa.table({"name": [f"name {number}" for number in range(1000)]})])
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"artifact\.unreadable"):
        formats.read_table(path)
