"""Wiregrad's server and command line: the only Python that knows Flask."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.application import Application
    from app.settings import Settings

try:
    __version__ = version("wiregrad")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def create_app(settings: Settings) -> Application:
    """The whole server for some settings; see `app.application`."""
    from app.application import Application

    return Application(settings)
