import { io, type Socket } from "socket.io-client";
import type { Pushes, Requests, WireError } from "../protocol";

const ACK_WITHIN_MS = 30_000;

/** A request that the server refused, in its own words. */
export class Refusal extends Error {
  constructor(readonly error: WireError) {
    super(error.message);
  }
}

/** The connection went away before the answer came. */
export class Unanswered extends Error {
  constructor() {
    super("The server did not answer.");
  }
}

const socket: Socket = io({
  autoConnect: false,
  transports: ["websocket"],
  reconnectionDelayMax: 3000,
  timeout: 8000,
});

type Ack = { ok: true } | { ok: false; error: WireError };

export async function request<Name extends keyof Requests>(
  name: Name,
  body: Requests[Name]["request"],
): Promise<Requests[Name]["reply"]> {
  if (!socket.connected) throw new Unanswered();
  let ack: Ack;
  try {
    ack = (await socket.timeout(ACK_WITHIN_MS).emitWithAck(name, body)) as Ack;
  } catch {
    throw new Unanswered();
  }
  if (!ack.ok) throw new Refusal(ack.error);
  return ack as unknown as Requests[Name]["reply"];
}

/** Listen to a push; a push that asks for it is acknowledged once it has been taken in. */
export function listen<Name extends keyof Pushes>(
  name: Name,
  take: (push: Pushes[Name]) => void,
): void {
  socket.on(name as string, (push: Pushes[Name], ack?: (reply?: unknown) => void) => {
    take(push);
    ack?.({ ok: true });
  });
}

export interface ConnectionEvents {
  up: () => void;
  down: () => void;
  refused: (message: string) => void;
}

export function connect(events: ConnectionEvents): void {
  socket.on("connect", events.up);
  socket.on("disconnect", (reason) => {
    events.down();
    // A server that closes on purpose is not rung again by Socket.IO itself.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  socket.on("connect_error", (error) => {
    // An inactive socket was refused by the server; otherwise it keeps trying by itself.
    if (socket.active) events.down();
    else events.refused(error.message);
  });
  socket.connect();
}
