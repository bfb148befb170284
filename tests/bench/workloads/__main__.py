"""The workloads W1 to W8 (`inputs.py` says what they are), here and in other libraries, in one run.

    python tests/bench/workloads [--peers PYTHON[,PYTHON…]] [--only W4,W8] [--repeat N]

Each PYTHON is an interpreter that has some of jax, torch and pytensor; what none of them has is
left out.  Every library does every workload in a process of its own, from equal numbers: once
with an empty cache on disk and once more with the cache that it left.  Prints a table for each
workload: seconds to build, to compile with an empty cache and with a full one, the median and the
least time of a call, and the median by ours; a line whose results differ from those of most by
more than a thousandth says so.  "others" is how many processors other programs kept busy
meanwhile: read ratios rather than seconds where it is not about 0.  Numba by hand is the limit
that generated kernels could reach.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from inputs import TITLES
from measure import Bench, Measurement
from table import Row, table

HERE = Path(__file__).parent

PEERS = {
    "wiregrad": "engine",
    "numba": "numba",
    "numpy": "numpy",
    "jax": "jax",
    "torch": "torch",
    "pytensor": "pytensor",
    "pytensor-c": "pytensor",
}
"""By peer, the module that its interpreter must have.  `peer_*.py` has what each does."""
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA")


def environment(peer: str, folder: str, threads: int) -> dict[str, str]:
    """Where a peer keeps what it compiled, and how many threads it may use."""
    linker = "CVM" if peer == "pytensor-c" else "NUMBA"
    return {
        **os.environ,
        **{f"{name}_NUM_THREADS": str(threads) for name in THREADS},
        "PYTHONPATH": str(HERE.parents[2]),
        "WIREGRAD_CACHE": folder,
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        "TORCHINDUCTOR_CACHE_DIR": folder,
        "PYTENSOR_FLAGS": f"base_compiledir={folder},mode={linker}",
    }


def has(python: str, module: str) -> bool:
    """Whether an interpreter finds a module."""
    question = f"import importlib.util as u; raise SystemExit(not u.find_spec({module!r}))"
    path = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    return not subprocess.run([python, "-c", question], env=path, check=False).returncode


def busy_seconds() -> float:
    """How long all processors of the machine were busy so far; 0 where it does not tell."""
    try:
        user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
        return (user + nice + system) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def own_seconds() -> float:
    """How long the processes that we started and that have ended were busy."""
    times = os.times()
    return times.children_user + times.children_system


def measured(
    python: str, peer: str, workload: str, folder: str, options: argparse.Namespace
) -> list[Measurement] | str:
    """All ways in which a peer does a workload, or why there are none."""
    command = [python, str(HERE), "--one", peer, workload, "--repeat", str(options.repeat)]
    command += ["--started", repr(time.monotonic())]
    begun, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    try:
        done = subprocess.run(
            command,
            env=environment(peer, folder, options.threads),
            capture_output=True,
            text=True,
            timeout=options.patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"over {options.patience} s"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return f"failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else '?'}"
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    theirs = busy_seconds() - busy - (own_seconds() - own)
    others = max(0.0, theirs) / (time.monotonic() - begun)
    return [Measurement(**json.loads(line), others=others) for line in lines]


def rows(python: str, peer: str, workload: str, options: argparse.Namespace) -> list[Row]:
    """A peer's lines in a workload's table."""
    with tempfile.TemporaryDirectory() as folder:
        cold = measured(python, peer, workload, folder, options)
        if isinstance(cold, str):
            return [Row(peer, failed=cold)]
        warm = measured(python, peer, workload, folder, options)
    if isinstance(warm, str):
        return [Row(peer, failed=warm)]
    return [Row(peer, c, w) for c, w in zip(cold, warm, strict=True)]


def one(peer: str, workload: str, repeat: int, started: float) -> None:
    """Do a workload in this process, if the peer has it."""
    module = importlib.import_module(f"peer_{peer.partition('-')[0]}")
    work = module.WORKLOADS.get(workload)
    if work is not None:
        work(Bench(repeat, started))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default="", help="interpreters that have other libraries")
    parser.add_argument("--only", default="", help="the workloads wanted, for example W4,W8")
    parser.add_argument("--repeat", type=int, default=15, help="samples, twice as many in all")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for every peer")
    parser.add_argument("--patience", type=int, default=600, help="seconds for one process")
    parser.add_argument("--without", default="", help="peers to leave out, for example pytensor-c")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        peer, workload = options.one
        one(peer, workload, options.repeat, options.started)
        return
    pythons = [sys.executable, *filter(None, options.peers.split(","))]
    found = {
        peer: next((p for p in pythons if has(p, module)), None) for peer, module in PEERS.items()
    }
    missing = [peer for peer, python in found.items() if python is None]
    if missing:
        print(f"Not installed: {', '.join(missing)}.\n")
    wanted = set(filter(None, options.only.split(",")))
    for workload in TITLES:
        if wanted and not {workload, workload.partition("-")[0]} & wanted:
            continue
        lines = []
        for peer, python in found.items():
            if python and peer not in options.without.split(","):
                print(f"{workload}: {peer}", file=sys.stderr, flush=True)
                lines += rows(python, peer, workload, options)
        print(table(workload, lines), "\n", flush=True)


if __name__ == "__main__":
    main()
