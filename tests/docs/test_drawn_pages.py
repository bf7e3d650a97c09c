"""What scripts write into docs/ is what they would write today."""

from pathlib import Path

from small_runs import STAGES_BY_NAME

from scripts import draw_pipeline, write_configuration
from tasks.config.retrain import RetrainConfig

ROOT = Path(__file__).parents[2]


def test_the_picture_of_the_pipeline_is_what_the_code_composes():
    nodes = draw_pipeline.record(RetrainConfig())
    assert list(dict.fromkeys(node.name for node in nodes)) == sorted(
        STAGES_BY_NAME, key=[node.name for node in nodes].index
    )
    committed = (ROOT / "docs" / "images" / "pipeline.svg").read_text(encoding="utf-8")
    fix = "python -m scripts.draw_pipeline docs/images/pipeline.svg"
    assert committed == draw_pipeline.draw(nodes), fix


def test_the_page_of_the_configuration_has_every_option_with_its_default_and_meaning():
    committed = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    fix = "python -m scripts.write_configuration docs/reference/configuration.md"
    assert committed == write_configuration.page(), fix


def test_a_screenshot_is_small():
    for path in (ROOT / "docs" / "images").glob("*.png"):
        assert path.stat().st_size < 150_000, path
