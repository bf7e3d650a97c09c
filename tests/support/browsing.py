"""A person's browser: Debian's Chromium without a window, on nothing but what the test opens."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_SECONDS = 60.0
_BROWSER, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "no Chromium with its driver: apt-get install chromium chromium-driver"
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1300,1200",
)
_OF_THE_BROWSER = ("file", "data", "blob", "about", "chrome", "chrome-untrusted", "chrome-search")


class Browser:
    """screenshots: the folder that they go into."""

    def __init__(self, driver: webdriver.Chrome, screenshots: Path) -> None:
        self._driver, self._screenshots = driver, screenshots
        self._asked: set[str] = set()

    def open(self, url: str) -> None:
        self._driver.get(url)

    def wait(self, until: Callable[[], Any]) -> Any:
        """What it gives, once that is something. Raises TimeoutException."""
        waiting = WebDriverWait(
            self._driver, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException]
        )
        return waiting.until(lambda _driver: until())

    @property
    def text(self) -> str:
        """All that can be read of the page."""
        return self._driver.find_element(By.TAG_NAME, "body").text

    def shows(self, text: str) -> bool:
        return text in self.text

    def all(self, selector: str) -> list[Any]:
        return self._driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, text: str) -> None:
        """The first thing that is called so."""
        (first, *_) = self.wait(lambda: self._driver.find_elements(By.XPATH, f'//*[text()="{text}"]'))
        self._driver.execute_script("arguments[0].click()", first)

    def sizes(self, selector: str) -> list[tuple[int, int]]:
        """Of images: how wide and high they stand on the page; nothing of one that could not be drawn."""
        script = "return arguments[0].complete && arguments[0].naturalWidth"
        drawn = [one for one in self.all(selector) if self._driver.execute_script(script, one)]
        return [(one.size["width"], one.size["height"]) for one in drawn]

    def photograph(self, name: str) -> None:
        """The whole page, which scrolls within the window."""
        height = self._driver.execute_script(
            "return Math.max(...[...document.querySelectorAll('*')].map(one => one.scrollHeight))"
        )
        self._driver.set_window_size(1300, max(int(height) + 150, 1200))
        self._driver.save_screenshot(str(self._screenshots / f"{name}.png"))
        self._driver.set_window_size(1300, 1200)

    def picture(self, name: str) -> None:
        """What the window shows, as a small PNG for the docs: only where DOCS_IMAGES names their folder."""
        if folder := os.environ.get("DOCS_IMAGES"):
            self._driver.set_window_size(1200, 900)
            self._driver.execute_script("scrollTo(0, 0)")
            shot = Image.open(BytesIO(self._driver.get_screenshot_as_png())).convert("RGB")
            self._driver.set_window_size(1300, 1200)
            shot.quantize(128).save(Path(folder) / f"{name}.png", optimize=True)

    def hosts(self) -> set[str]:
        """Every host that any page was fetched from, or has asked for anything."""
        for entry in self._driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                parameters = message["params"]
                url = urlsplit(parameters["url"] if "url" in parameters else parameters["request"]["url"])
                if url.scheme not in _OF_THE_BROWSER:
                    self._asked.add(url.netloc)
        return self._asked


@contextmanager
def opened(profile: Path, screenshots: Path) -> Iterator[Browser]:
    """A new browser without a window.

    profile:  a new folder of its own.

    Skips the test where there is no Chromium, and fails it where CI is set: there everything has to be seen.
    """
    if not (_BROWSER and _DRIVER):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    options = Options()
    options.binary_location = _BROWSER
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    for option in (*_OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    # With its path named, Selenium looks for no driver, and need not tell anyone that it did.
    os.environ.update(SE_OFFLINE="true", SE_AVOID_STATS="true")
    driver = webdriver.Chrome(options=options, service=Service(_DRIVER))
    try:
        yield Browser(driver, screenshots)
    finally:
        driver.quit()
