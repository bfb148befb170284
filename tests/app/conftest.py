"""The server that the tests share, and a tab for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.talk import Site, Tab


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that all tests of a session share."""
    site = Site(tmp_path_factory.mktemp("site") / "data")
    yield site
    site.close()


@pytest.fixture
def tab(site: Site) -> Iterator[Tab]:
    """A tab of one's own."""
    tab = site.tab()
    yield tab
    tab.close()
