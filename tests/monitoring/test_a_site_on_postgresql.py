"""A team's site, whose Prefect server keeps its records in PostgreSQL."""

import re

import deployed_site
import postgresql
import pytest

from artifacts.dataset import manifests

SHARDS, SHARD_SIZE = 64, 65_536


@pytest.mark.timeout(600)
def test_two_workers_make_a_long_list_and_a_model_without_an_error_in_any_log(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("site")
    with (
        postgresql.opened() as url,
        deployed_site.opened(folder, workers=2, PREFECT_SERVER_DATABASE_CONNECTION_URL=url) as site,
    ):
        assert site.ended(site.start("retrain"))["state_type"] == "COMPLETED"
        site.still()
        config = {
            "sampling": {"count": SHARDS * SHARD_SIZE, "max_length": 4, "truncate": True},
            "shard_size": SHARD_SIZE,
            "columns": ["name"],
        }
        generating = site.start("generate", parameters={"config": config})
        retraining = site.start("retrain", parameters={"config": {"training": {"seed": 3}}})
        assert site.ended(retraining)["state_type"] == "COMPLETED"
        assert site.ended(generating)["state_type"] == "COMPLETED"
        shards = [state for name, state in site.stages(generating).items() if name.startswith("shard")]
        assert shards == ["Completed"] * SHARDS
        assert (
            max(made.metadata["names"] for made in manifests(site.store / "generated")) == SHARDS * SHARD_SIZE
        )
    logs = [folder / "prefect" / "namewright-server.log", *sorted(folder.glob("worker-*.log"))]
    assert len(logs) == 3
    for log in logs:
        text = log.read_text()
        lines = [line for line in text.splitlines() if "V2 UI static directory" not in line]  # kept out by us
        assert not {"ERROR", "CRITICAL", "Traceback"} & set(re.findall(r"\w+", "\n".join(lines))), text
    assert "Completed" in "".join(log.read_text() for log in logs[1:])
