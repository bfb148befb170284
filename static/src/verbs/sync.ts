// Edits on their way to the server: one message under way at a time, the rest merged behind it.

import type { GraphOpenReply, Patch } from "../protocol";
import { amend, app, notify, openDocument, takeReport } from "../store/app";
import type { GraphDocument } from "../store/document";
import { append, apply, valueAt } from "../store/patch";
import { Refusal, request, Unanswered } from "../transport/socket";

const GATHER_MS = 30;

/** The document as the server is known to hold it. */
let acknowledged: GraphDocument | null = null;
let sending: Patch[] | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

let accepted: (patches: Patch[]) => void = () => undefined;

/** Send what is edited from now on, and tell `listener` of what the server has taken. */
export function watchOutbox(listener: (patches: Patch[]) => void): void {
  accepted = listener;
  app.subscribe((state, before) => {
    if (state.outbox !== before.outbox && state.outbox.length > 0) {
      clearTimeout(timer);
      timer = setTimeout(flush, GATHER_MS);
    }
  });
}

/** Show a document that the server sent. */
export function takeOpened(reply: GraphOpenReply): void {
  const document = reply.document as GraphDocument;
  openDocument(reply.graph_id, reply.revision, document);
  acknowledged = app.getState().doc;
  sending = null;
  app.setState({ sending: 0 });
  takeReport(reply.report);
}

/** A graph that was saved bears its title from then on. */
export function takeTitle(title: string, revision: number): void {
  const { doc } = app.getState();
  if (doc) app.setState({ doc: { ...doc, title } });
  if (acknowledged) acknowledged = { ...acknowledged, title };
  app.setState({ revision });
}

/** Wait until the server has everything that was changed here. */
export async function settled(): Promise<void> {
  clearTimeout(timer);
  void flush();
  while (sending || app.getState().outbox.length > 0) {
    if (app.getState().connection !== "online") throw new Unanswered();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function flush(): Promise<void> {
  const { graphId, outbox, connection, opened, revision } = app.getState();
  if (sending || !graphId || !acknowledged || connection !== "online") return;
  const patches = withoutVoid(acknowledged, outbox);
  app.setState({ outbox: [], sending: patches.length });
  if (patches.length === 0) return;
  sending = patches;
  try {
    const reply = await request("graph_edit", {
      graph_id: graphId,
      base_revision: revision,
      patches,
    });
    if (app.getState().opened !== opened) return;
    acknowledged = apply(acknowledged, patches).doc;
    app.setState({ revision: reply.revision });
    takeReport(reply.report);
    sending = null;
    app.setState({ sending: 0 });
    accepted(patches);
    if (app.getState().outbox.length > 0) void flush();
  } catch (failure) {
    if (app.getState().opened !== opened) return;
    await recover(failure, graphId);
  }
}

/** Leave out removals of what the server never had. */
function withoutVoid(base: GraphDocument, patches: Patch[]): Patch[] {
  let doc = base;
  return patches.filter((patch) => {
    if (!("value" in patch) && valueAt(doc, patch.path) === undefined) return false;
    doc = apply(doc, [patch]).doc;
    return true;
  });
}

async function recover(failure: unknown, graphId: string): Promise<void> {
  if (failure instanceof Unanswered) return;
  if (!(failure instanceof Refusal)) throw failure;
  const { kind, message, hint } = failure.error;
  const reply = await request("graph_open", { source: { graph_id: graphId } });
  if (kind === "conflict") {
    merge(reply);
  } else {
    notify("error", message, hint ?? "The change was taken back.");
    takeOpened(reply);
  }
}

/** Show what others made of the graph, and put those of our edits on top that they left room for. */
function merge(reply: GraphOpenReply): void {
  const base = acknowledged;
  const mine = append(sending ?? [], app.getState().outbox);
  takeOpened(reply);
  const theirs = acknowledged;
  const untouched = ({ path }: Patch) => same(valueAt(base, path), valueAt(theirs, path));
  if (mine.length > 0 && mine.every(untouched)) {
    amend(mine);
    notify("info", "This graph was changed elsewhere, too; both changes are kept.");
  } else if (mine.length > 0) {
    notify("warning", "This graph was changed elsewhere; you now see its newest state.");
  }
}

/** After the connection came back: carry on from where the server is. */
export async function resume(graphId: string): Promise<void> {
  const reply = await request("graph_open", { source: { graph_id: graphId } });
  const { graphId: shown, revision, outbox } = app.getState();
  if (shown !== graphId) return;
  const lost = sending ?? [];
  const arrived =
    acknowledged !== null && lost.length > 0 && same(apply(acknowledged, lost).doc, reply.document);
  if (reply.revision !== revision && !arrived) {
    merge(reply);
    return;
  }
  if (arrived && acknowledged) acknowledged = apply(acknowledged, lost).doc;
  sending = null;
  app.setState({
    revision: reply.revision,
    outbox: arrived ? outbox : append(lost, outbox),
    sending: 0,
  });
  takeReport(reply.report);
  void flush();
}

/** Equal as JSON, whatever the order of keys. */
function same(a: unknown, b: unknown): boolean {
  const sorted = (_: string, value: unknown) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
      : value;
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}
