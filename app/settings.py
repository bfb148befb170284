"""The settings of a server, each with its doc line; the command line offers them as options."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_data_path

HOST = "127.0.0.1"
DEFAULT_PORT = 8471
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def default_data() -> Path:
    """The folder of this user's Wiregrad data, as the platform has it."""
    return user_data_path("wiregrad", appauthor=False)


def new_token() -> str:
    """A token that cannot be guessed: 32 random bytes."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Settings:
    """What a server is started with."""

    data: Path = field(
        default_factory=default_data,
        metadata={"doc": "The folder for graphs and runs; only one server at a time uses it."},
    )
    port: int = field(
        default=DEFAULT_PORT,
        metadata={"doc": "The port on the loopback interface; 0 takes any free one."},
    )
    token: str = field(
        default_factory=new_token,
        repr=False,
        metadata={"doc": "The secret that a client shows; new for each start."},
    )
    workers: int = field(
        default=4,
        metadata={"doc": "How many runs train at the same time; more are refused."},
    )
    spare: bool = field(
        default=True,
        metadata={"doc": "Whether a worker process is kept warm, so that Train starts at once."},
    )

    @property
    def hosts(self) -> frozenset[str]:
        """The exact values of the Host header that this server answers to."""
        return frozenset(f"{name}:{self.port}" for name in LOOPBACK_NAMES)

    @property
    def cookie(self) -> str:
        """The session cookie's name; browsers share cookies among the ports of a host."""
        return f"wiregrad_{self.port}"
