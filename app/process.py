"""Worker processes as the server sees them: start, talk, share memory, end."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import BusyError
from engine.training.ring import Ring

# The block of memory that both processes see: the control word, then the ring of costs.
CONTROL_BYTES = 64
RING_CAPACITY = 1 << 17
BLOCK_BYTES = CONTROL_BYTES + Ring.bytes_needed(RING_CAPACITY)
ATTEND = 1  # any value but 0 in the control word makes the native loop come back

MAX_MESSAGE = 1 << 31
LAST_WORDS = 2_000


class Block:
    """The shared memory of a worker, in a file without a name: nothing to clean up, ever."""

    def __init__(self, descriptor: int) -> None:
        self.memory = mmap.mmap(descriptor, BLOCK_BYTES)
        self.control = np.frombuffer(self.memory, np.int64, 1)
        self.ring = Ring(memoryview(self.memory)[CONTROL_BYTES:], RING_CAPACITY)


class WorkerProcess:
    """One worker, started and warming up, not yet told what to train."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - bury closes it
        self.sending = threading.Lock()
        self.preparing: str | None = None
        self.connection, theirs = Pipe()
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        with theirs, tempfile.TemporaryFile(dir=memory) as file:
            file.truncate(BLOCK_BYTES)
            self.block = Block(file.fileno())
            shared = (theirs.fileno(), file.fileno())
            root = str(Path(__file__).parent.parent)
            # -P: a folder named app or a numpy.py where the person happens to be is not ours.
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.worker", *map(str, shared)],
                pass_fds=shared,
                stdin=subprocess.DEVNULL,
                stdout=self.errors,
                stderr=self.errors,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
                },
            )

    def send(self, message: dict[str, Any]) -> None:
        """Send a command; one to a worker that is gone is lost."""
        data = json.dumps(message).encode()
        with self.sending, contextlib.suppress(OSError):
            self.connection.send_bytes(data)
            self.block.control[0] = ATTEND

    def receive(self, seconds: float) -> bytes | None:
        """The next message if one comes in time; raises EOFError when the worker has gone."""
        try:
            if self.connection.poll(seconds):
                return self.connection.recv_bytes(MAX_MESSAGE)
        except OSError:
            raise EOFError from None
        return None

    def prepare(self, document: str) -> None:
        """Have a worker without an order compile a document, so that a run of it starts at once."""
        self.preparing = document
        self.send({"do": "prepare", "document": document})

    def is_free_for(self, document: str) -> bool:
        """Whether it lives and is not busy preparing something else."""
        idle = self.block.control[0] == 0 or self.preparing == document
        return idle and self.process.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the worker and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def bury(self) -> str:
        """Wait for the end of the process, free everything, and say how it ended."""
        try:
            code = self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self.process.wait()
        self.connection.close()
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - LAST_WORDS))
        said = self.errors.read().decode("utf-8", "replace").strip()
        self.errors.close()
        if code < 0:
            name = signal.Signals(-code).name
            ended = f"The worker process was ended by signal {-code} ({name})"
        else:
            ended = f"The worker process ended with code {code}"
        return f"{ended}: {said.splitlines()[-1]}" if said and code > 0 else ended


class Workers:
    """All worker processes of a server, with one warm spare, so that a run can start at once."""

    def __init__(self, most: int, spare: bool) -> None:
        self.most = most
        self.keep_spare = spare
        self.busy = 0
        self.closed = False
        self.lock = threading.Lock()
        # On Linux a worker dies with the thread that started it, so that none is ever left over:
        # this thread must live as long as the server.
        self.starter = ThreadPoolExecutor(1, "worker-starter")
        self.spare: Future[WorkerProcess] | None = None
        self.refill()

    def reserve(self) -> None:
        """Take a place for one run; raises BusyError when there is none."""
        with self.lock:
            if self.closed or self.busy >= self.most:
                raise BusyError(
                    f"{self.most} runs are training already.",
                    hint="Stop one of them, or wait until one is done.",
                )
            self.busy += 1

    def take(self, document: str) -> WorkerProcess:
        """A worker for a run of a document that has a place."""
        with self.lock:
            waiting, self.spare = self.spare, None
        worker = (waiting or self.starter.submit(WorkerProcess)).result()
        if not worker.is_free_for(document):
            worker.kill()
            worker.bury()
            worker = self.starter.submit(WorkerProcess).result()
        self.refill()
        return worker

    def prepare(self, document: str) -> None:
        """Let the spare compile a document that may be trained soon."""
        with self.lock:
            if self.spare is not None and self.spare.done():
                self.spare.result().prepare(document)

    def release(self) -> None:
        """Give a place back."""
        with self.lock:
            self.busy -= 1

    def refill(self) -> None:
        """Start a spare unless there is one."""
        with self.lock:
            if self.keep_spare and not self.closed and self.spare is None:
                self.spare = self.starter.submit(WorkerProcess)

    def close(self) -> None:
        """End the spare; the runs end their own workers."""
        with self.lock:
            self.closed = True
            waiting, self.spare = self.spare, None
        if waiting is not None:
            worker = waiting.result()
            worker.kill()
            worker.bury()
        self.starter.shutdown()
