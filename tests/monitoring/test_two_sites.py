"""Two sites share a server, and one deployed before sites had names is carried over."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from deployed_site import ROOT, SITE, Site, apply_file, remove_deployments

from rnn_core.errors import ConfigError

if TYPE_CHECKING:
    from tasks.deploy.changes import Change

pytestmark = pytest.mark.timeout(900)  # of a server and a worker
PREFECT_YAML = (ROOT / "prefect.yaml").read_text()
FLOWS = ("retrain", "generate", "maintain", "watch")
# The file of a site that was set up before sites had names.
UNNAMED = (
    PREFECT_YAML.replace("{{ $NAMEWRIGHT_SITE }}-", "")
    .replace("{{ $NAMEWRIGHT_SITE }}", SITE)
    .replace("    job_variables:\n      env:\n        NAMEWRIGHT_SITE: namewright\n", "")
)


@pytest.fixture(scope="module", autouse=True)
def _only_the_site_stays(site: Site) -> Iterator[None]:
    yield
    remove_deployments(site, "towns-", "old-")


def objects(site: Site, kind: str, name: str) -> list[Any]:
    return [each for each in site.ask(f"{kind}/filter", {}) if each["name"].startswith(name)]


def changed(changes: "list[Change]") -> set[tuple[str, str, str]]:
    return {(each.outcome, each.kind, each.name) for each in changes if each.outcome != "unchanged"}


def test_two_sites_share_a_server_and_neither_touches_the_other(site: Site) -> None:
    site.still()
    ours = objects(site, "deployments", SITE), objects(site, "automations", SITE)
    towns = site.folder / "towns"
    with pytest.raises(ConfigError, match="belongs to another folder"):
        apply_file(site, towns, PREFECT_YAML, SITE)
    made = changed(apply_file(site, towns, PREFECT_YAML, "towns"))
    assert {name for outcome, kind, name in made if kind == "deployment"} == {
        f"{flow}/towns-{flow}" for flow in FLOWS
    }
    assert {outcome for outcome, *_ in made} == {"created"}
    site.still()
    after = objects(site, "deployments", SITE), objects(site, "automations", SITE)
    assert [[each["id"] for each in kind] for kind in after] == [
        [each["id"] for each in kind] for kind in ours
    ]
    assert [each["pull_steps"] for each in after[0]] == [each["pull_steps"] for each in ours[0]]

    # Renamed: what is no longer in the file is left, and reported.
    less = PREFECT_YAML[: PREFECT_YAML.index('  - name: "{{ $NAMEWRIGHT_SITE }}-watch"')]
    assert changed(apply_file(site, towns, less, "towns")) == {("left", "deployment", "watch/towns-watch")}
    moved = apply_file(site, site.folder / "moved", PREFECT_YAML, "towns", take_over=True)
    assert {("updated", "deployment", f"{flow}/towns-{flow}") for flow in FLOWS} == changed(moved)
    site.still()


def test_a_site_from_before_names_is_carried_over_with_what_was_paused(site: Site) -> None:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore, EventTrigger

    from tasks.deploy.automations import SILENT_RUN

    old = site.folder / "old"
    apply_file(site, old, UNNAMED, SITE)
    # As an earlier version left them: without a site in the environment of their runs.
    for flow in FLOWS:
        deployment = site.ask(f"deployments/name/{flow}/{flow}")
        site.tell(f"deployments/{deployment['id']}", {"job_variables": {}})
    site.still()
    nightly = site.ask("deployments/name/retrain/retrain")["schedules"][0]
    assert not nightly["active"]
    (automation,) = [
        each
        for each in site.ask("automations/filter", {})
        if each["name"] == f"{SITE}/generate after a promotion"
        and each["actions"][0]["deployment_id"] == site.ask("deployments/name/generate/generate")["id"]
    ]
    site.tell(f"automations/{automation['id']}", {"enabled": False})
    silent = AutomationCore(name=SILENT_RUN, trigger=EventTrigger(expect={"anything"}), actions=[])
    with SyncPrefectClient(site.url) as client:
        client.create_automation(silent)

    changes = changed(apply_file(site, old, PREFECT_YAML, "old"))
    assert {("moved", "deployment", f"{flow}/{flow}") for flow in FLOWS} <= changes
    assert ("removed", "automation", SILENT_RUN) in changes
    assert {each["name"] for each in site.ask("deployments/filter", {})} >= {f"old-{flow}" for flow in FLOWS}
    assert not [each for each in site.ask("deployments/filter", {}) if each["name"] in FLOWS]
    (nightly,) = site.ask("deployments/name/retrain/old-retrain")["schedules"]
    assert not nightly["active"]
    states = {each["name"]: each["enabled"] for each in objects(site, "automations", "old/")}
    assert states["old/generate after a promotion"] is False
    assert states["old/retrain when a list changed"] is True
    assert not changed(apply_file(site, old, PREFECT_YAML, "old"))


def test_a_run_with_an_option_of_its_own_keeps_those_of_the_site_and_shows_them_all(site: Site) -> None:
    site.still()
    run = site.ended(site.start("retrain", parameters={"config": {"training": {"seed": 3}}}))
    assert (run["state_type"], run["name"]) == ("COMPLETED", "retrain dinosaurs · 8 units")
    config = run["parameters"]["config"]
    assert (config["training"]["seed"], config["training"]["hidden_size"]) == (3, 8)
    assert config["sampling"]["count"] == 25
    assert [source["path"] for source in config["sources"]] == [str(site.names)]


def test_the_form_of_a_run_has_help_bounds_and_the_values_of_the_site(site: Site) -> None:
    deployment = site.ask("deployments/name/retrain/namewright-retrain")
    fields = deployment["parameter_openapi_schema"]["definitions"]["TrainingConfig"]["properties"]
    assert fields["epochs"]["default"] == 1
    bounds, _null = fields["epochs"]["anyOf"]
    assert (bounds["minimum"], bounds["maximum"]) == (1, 1 << 20)
    assert all(field["description"] for field in fields.values())
    refusal = site.refusal(
        f"deployments/{deployment['id']}/create_flow_run",
        {"parameters": {"config": {"training": {"epochs": 0}}}},
    )
    assert "minimum" in refusal


def test_a_run_of_a_worker_with_another_store_fails_at_once_with_both_paths(site: Site) -> None:
    site.still()
    other = site.folder / "other-store"
    deployment = site.ask("deployments/name/retrain/namewright-retrain")
    environment = {**deployment["job_variables"]["env"], "NAMEWRIGHT_STORE": str(other)}
    body = {"parameters": {}, "job_variables": {"env": environment}}
    run = site.ask(f"deployments/{deployment['id']}/create_flow_run", body)
    ended = site.ended(run["id"])
    assert ended["state_type"] == "FAILED"
    message = ended["state"]["message"]
    assert str(other) in message
    assert str(site.store) in message
