"""Every link of every page leads to a file that is there, and every page that the code names is one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT, check=True, capture_output=True, text=True,
).stdout.splitlines()  # fmt: skip
PAGES = [file for file in FILES if file.endswith(".md") and (ROOT / file).exists()]
SOURCES = [
    file
    for file in FILES
    if file.endswith((".py", ".md", ".yaml", ".yml", ".toml", "Makefile")) and (ROOT / file).exists()
]


def anchors(page):
    """The anchors of the headings of a page, as both GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {
        re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower())
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_are_there(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_of_the_docs_that_a_file_mentions_is_there():
    for file in SOURCES:
        for mention in re.findall(r"(?<![\w/.-])docs/[\w/-]+\.md", (ROOT / file).read_text(encoding="utf-8")):
            assert (ROOT / mention).exists(), f"{file} names {mention}"


def test_every_page_of_the_docs_is_linked_from_the_index_or_a_page_that_it_links():
    seen, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / target).resolve() for target in targets if "://" not in target]
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"}
    assert pages <= seen, sorted(str(page) for page in pages - seen)
