"""The documentation site: built strictly, whole, and nothing in it is fetched from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "artifacts", "data", "rnn_core")

pytestmark = pytest.mark.timeout(600)  # half a minute alone, more beside other tests


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    outcome = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return folder


def test_every_page_of_the_docs_is_on_the_site_and_can_be_reached_from_its_index(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages = {page.with_stem("index") if page.stem == "README" else page for page in pages}
    assert all((site / page).is_file() for page in pages)
    linked = set(re.findall(r'href="([^"#:]+\.html)"', (site / "index.html").read_text(encoding="utf-8")))
    assert {page.as_posix() for page in pages} <= linked | {"index.html"}


def test_every_room_of_the_code_has_an_api_page_with_its_docstrings(site):
    rooms = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in [*(ROOT / package).glob("*/__init__.py"), ROOT / package / "__init__.py"]
    }
    for room in rooms:
        assert (site / "reference" / "api" / f"{room}.html").is_file(), room
    public = (site / "reference" / "api" / "namewright.html").read_text(encoding="utf-8")
    for name in ("generate", "open_model", "TrainedModel"):
        assert f">{name}</" in public


def test_no_page_fetches_anything_from_elsewhere(site):
    fetching = re.compile(r'<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)="?(https?:)?//', re.I)
    for page in site.rglob("*.html"):
        assert not fetching.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        text = re.sub(r"data:[^)]*", "", sheet.read_text(encoding="utf-8"))
        assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", text), sheet
