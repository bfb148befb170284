import { app, commit, notify } from "../store/app";
import { type End, edgeInto, type GraphEdge, sameEnd } from "../store/document";
import { connect, rewire } from "../store/edits";
import { inPorts, outPorts } from "../store/palette";
import { Refusal, request } from "../transport/socket";
import { cardOfNode } from "./edit";
import { settled } from "./sync";

/** Hold one end of a wire and ask, once, where the other end may go. */
export async function holdWire(held: End, side: "from" | "to"): Promise<void> {
  app.setState({ wire: { held, side, verdicts: null, fits: null } });
  const { graphId } = app.getState();
  if (!graphId) return;
  try {
    await settled();
    const { verdicts, fits } = await request("wire_check", {
      graph_id: graphId,
      from: side === "from" ? held : null,
      to: side === "to" ? held : null,
    });
    const { wire, quickAdd } = app.getState();
    if (wire?.held === held) app.setState({ wire: { ...wire, verdicts, fits } });
    // It may have been let go before the answer came.
    if (quickAdd?.wire?.held === held)
      app.setState({ quickAdd: { ...quickAdd, wire: { ...quickAdd.wire, verdicts, fits } } });
  } catch (failure) {
    // Without an answer every port stays open; the report then says what does not fit.
    if (failure instanceof Refusal) notify("warning", failure.error.message, failure.error.hint);
  }
}

export function dropWire(): void {
  app.setState({ wire: null });
}

/** Why the held wire may not end at a port: a reason, or null where it may. */
export function verdict(end: End): string | null {
  const { wire } = app.getState();
  if (!wire) return null;
  if (end[0] === wire.held[0]) return "A node cannot feed itself.";
  if (!wire.verdicts) return null;
  const ports = wire.verdicts[end[0]];
  if (!ports) return null;
  return ports[end[1]] ?? null;
}

/** Say why the held wire may not end at a port; true when it may not. */
export function refuse(end: End): boolean {
  const reason = verdict(end);
  if (reason) notify("warning", reason);
  return reason !== null;
}

/** Wire the held end to a port, or say why not. */
export function joinWire(other: End): boolean {
  const { wire, doc } = app.getState();
  if (!wire || !doc || refuse(other)) return false;
  const [from, to] = wire.side === "from" ? [wire.held, other] : [other, wire.held];
  commit("Wire", connect(doc, from, to));
  return true;
}

export function moveWire(old: GraphEdge, from: End, to: End): void {
  const { doc } = app.getState();
  const stays = sameEnd(old.from, from) && sameEnd(old.to, to);
  if (doc && !stays) commit("Rewire", rewire(doc, old, from, to));
}

/** The first port of a node at which the held wire may end. */
export function firstFit(id: string): End | null {
  const { wire, doc } = app.getState();
  if (!wire || !doc) return null;
  const card = cardOfNode(id);
  const ports = wire.side === "from" ? inPorts(card, doc, id) : outPorts(card, doc, id);
  const fits = ports.filter((port) => verdict([id, port.name]) === null);
  const fit = fits.find((port) => !edgeInto(doc, [id, port.name])) ?? fits[0];
  return fit ? [id, fit.name] : null;
}
