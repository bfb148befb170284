"""The program of a worker process: it trains one graph and tells the server how it goes.

The server sends commands and gets news, both JSON, over a connection; costs go through shared
memory. Nothing here reads or writes the database, and nothing a user made is ever unpickled.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from app import weights
from app.process import Block
from engine import document
from engine.errors import EngineError
from engine.program import Program
from engine.program.values import shown
from engine.training import Trainer

SETTLE_SECONDS = 0.5
CHUNK_SECONDS = 0.02
NEWS_SECONDS = 0.05
# News may take this share of the time, however large the tensors are that they sum up.
NEWS_SHARE = 0.1
RATE_SECONDS = 0.5
FULL_RING_SECONDS = 0.002
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Settle down as a guest of the machine, wait for the order, carry it out."""
    server, memory = (int(number) for number in sys.argv[1:3])
    settle()
    connection = Connection(server)
    commands = Commands(connection)
    block = Block(memory)
    order = wait_for_order(commands, block)
    news = News(connection)
    try:
        Training(order, commands, news, block).run()
    except EngineError as error:
        news.send("failed", error=error.to_json())
    except MemoryError:
        news.send("failed", error=EngineError("The machine has not enough memory.").to_json())
    connection.close()
    # Not by way of the interpreter's end, where the thread that reads commands would be waited for.
    os._exit(0)


def settle() -> None:
    """Lower the priority, leave no core files, and on Linux end when the server ends."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource

        os.nice(10)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for_order(commands: Commands, block: Block) -> dict[str, Any]:
    """The order to train; until it comes, compile what is likely to be trained."""
    command = commands.wait(None)
    while command["do"] == "prepare":
        try:
            command = commands.wait(SETTLE_SECONDS)
        except queue.Empty:
            # Nobody is typing any more.
            with contextlib.suppress(EngineError, MemoryError):
                Trainer(Program(document.parse(command["document"]))).compile()
            block.control[0] = 0
            command = commands.wait(None)
    return command


class Commands:
    """What the server says, read by a thread so that it is there between two chunks."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self.connection = connection
        self.waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Read until the server is gone, then go too."""
        while True:
            try:
                self.waiting.put(json.loads(self.connection.recv_bytes()))
            except (EOFError, OSError):
                os._exit(0)

    def wait(self, seconds: float | None) -> dict[str, Any]:
        """The next command; raises queue.Empty when none comes in time."""
        return self.waiting.get(timeout=seconds)


class News:
    """What the worker says."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self.connection = connection

    def send(self, what: str, **fields: Any) -> None:
        """Send one piece of news."""
        self.connection.send_bytes(json.dumps({"what": what, **fields}).encode())

    def send_state(self, trainer: Trainer) -> None:
        """Send the values of the shared variables, as safetensors."""
        self.connection.send_bytes(weights.pack(trainer.state()))


class Pace:
    """How many steps are due: as many as can be, or so many a second."""

    def __init__(self, steps_per_second: float | None) -> None:
        self.change(steps_per_second)

    def change(self, steps_per_second: float | None) -> None:
        """Go at another speed from now on."""
        self.rate = steps_per_second
        self.restart()

    def restart(self) -> None:
        """Count from now, after a pause."""
        self.since = time.monotonic()
        self.done = 0

    def due(self) -> float:
        """The steps that should be done by now and are not; infinity when unlimited."""
        if self.rate is None:
            return math.inf
        behind = (time.monotonic() - self.since) * self.rate - self.done
        if behind > max(1.0, self.rate):
            # A second behind: the machine can't go so fast, and must not make up for it later.
            self.restart()
            return 1.0
        return math.floor(behind)

    def seconds_to_next(self) -> float:
        """How long until a step is due."""
        if self.rate is None:
            return 0.0
        return max(0.0, self.since + (self.done + 1) / self.rate - time.monotonic())


class Training:
    """One run, from its order to its end."""

    def __init__(self, order: dict[str, Any], commands: Commands, news: News, block: Block) -> None:
        self.commands = commands
        self.news = news
        self.block = block
        news.send("state", state="compiling", step=0)
        self.trainer = Trainer(
            Program(document.parse(order["document"])),
            steps=order["steps"],
            seed=order["seed"],
            device=order["device"],
            overrides=order["overrides"],
        )
        self.trainer.attach(block.control, block.ring)
        self.pace = Pace(order["steps_per_second"])
        self.paused: bool = order["paused"]
        self.single = 0
        self.stopped = False
        self.chunk = 1
        self.seconds = 0.0
        self.next_news = 0.0
        self.rate_from = (time.monotonic(), 0)
        self.rate = 0.0

    def run(self) -> None:
        """Compile, train to the end or until stopped, and hand over the final state."""
        self.trainer.compile()
        self.tell()
        while not self.stopped and self.trainer.step < self.trainer.steps:
            began = time.monotonic()
            moving = self.go()
            if moving:
                self.seconds += time.monotonic() - began
            if time.monotonic() >= self.next_news:
                self.tell()
        self.tell()
        self.news.send("ended", state="stopped" if self.stopped else "done")
        self.news.send_state(self.trainer)

    def go(self) -> bool:
        """One chunk of steps, or a wait for the next command or step; tells whether it trains."""
        self.block.control[0] = 0
        self.obey(0.0)
        if self.stopped:
            return False
        if self.paused and not self.single:
            self.tell()
            self.obey(None)
            return False
        due = self.single or self.pace.due()
        if not due:
            self.obey(min(self.pace.seconds_to_next(), NEWS_SECONDS))
            return not self.paused
        self.steps(int(min(due, self.chunk)))
        return True

    def steps(self, most: int) -> None:
        """Do some steps natively, and learn how many of them fill a chunk's time."""
        began = time.monotonic()
        done = self.trainer.run(most)
        spent = time.monotonic() - began
        self.pace.done += done
        self.single = max(0, self.single - done)
        if done == 0:
            time.sleep(FULL_RING_SECONDS)  # the record is behind, and no point may be lost
        elif done == most:
            fitting = int(done * CHUNK_SECONDS / max(spent, 1e-6))
            self.chunk = max(1, min(fitting, 4 * self.chunk))

    def obey(self, seconds: float | None) -> None:
        """Carry out the commands that are there; waits for the first one if there is none."""
        try:
            command = self.commands.wait(seconds)
            while True:
                self.carry_out(command)
                command = self.commands.wait(0.0)
        except queue.Empty:
            pass

    def carry_out(self, command: dict[str, Any]) -> None:
        """One command; its answer is the state after it, or why it was refused."""
        error = None
        match command["do"]:
            case "pause":
                self.paused, self.single = True, 0
            case "resume":
                self.paused = False
                self.pace.restart()
            case "step":
                self.paused = True
                self.single += 1
            case "stop":
                self.stopped = True
            case "speed":
                self.pace.change(command["steps_per_second"])
            case "set":
                error = self.set(command["name"], command["value"])
        self.news.send(
            "answer",
            ticket=command["ticket"],
            state="stopped" if self.stopped else self.state,
            error=error,
        )

    def set(self, name: str, value: Any) -> dict[str, Any] | None:
        """Set an input; returns the error if it can't be."""
        try:
            self.trainer.set(name, value)
        except EngineError as error:
            return error.to_json()
        self.news.send("event", step=self.trainer.step, name=name, value=value)
        return None

    @property
    def state(self) -> str:
        """Whether it is paused or running."""
        return "paused" if self.paused else "running"

    def tell(self) -> None:
        """Send the state, the speed and the values of outputs and shared variables."""
        began = time.monotonic()
        self.measure(began)
        values = {**self.trainer.outputs(), **self.trainer.state()}
        self.news.send(
            "state",
            state=self.state,
            step=self.trainer.step,
            seconds=self.seconds,
            rate=0.0 if self.paused else self.rate,
            values={node: shown(value) for node, value in values.items()},
        )
        now = time.monotonic()
        self.next_news = now + max(NEWS_SECONDS, (now - began) / NEWS_SHARE)

    def measure(self, now: float) -> None:
        """Work out the speed of the last half second or more."""
        since, step = self.rate_from
        if now - since >= RATE_SECONDS:
            self.rate = (self.trainer.step - step) / (now - since)
            self.rate_from = (now, self.trainer.step)
        elif not self.rate and now > since:
            self.rate = (self.trainer.step - step) / (now - since)


if __name__ == "__main__":
    main()
