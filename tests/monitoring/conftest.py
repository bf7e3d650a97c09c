from collections.abc import Iterator

import deployed_site
import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployed_site.Site]:
    """One for the whole session: a server and a worker take their time to start."""
    with deployed_site.opened(tmp_path_factory.mktemp("site")) as opened:
        yield opened
