import type { GraphListItem, GraphOpenRequest, RunInfo } from "../protocol";
import { app, NO_SUMMARY, notify, takeReport } from "../store/app";
import type { GraphDocument } from "../store/document";
import { NO_REWRITES } from "../store/film";
import { viewport } from "../store/viewport";
import { downloadUrl, getGallery, getGalleryDocument } from "../transport/http";
import { Refusal, request } from "../transport/socket";
import { tidy } from "./edit";
import { attempt } from "./failure";
import { remember } from "./preferences";
import { findRun, leaveRun } from "./run";
import { settled, takeOpened, takeTitle } from "./sync";

async function open(source: GraphOpenRequest["source"]): Promise<void> {
  const { graphId, connection } = app.getState();
  if (graphId && connection === "online") await settled();
  const reply = await request("graph_open", { source });
  await leaveRun();
  takeOpened(reply);
  app.setState({ overlay: null });
  remember({ graphId: reply.graph_id });
  const { doc } = app.getState();
  if (doc && Object.keys(doc.nodes).some((id) => !doc.layout?.[id])) tidy(false);
  requestAnimationFrame(() => viewport()?.fit());
  await findRun(reply.graph_id);
}

export const openGallery = (name: string) => attempt(() => open({ gallery: name }));
export const openEmpty = () => attempt(() => open({ empty: true }));
export const openGraph = (graphId: string) => attempt(() => open({ graph_id: graphId }));
export const openDocument = (document: unknown) => attempt(() => open({ document }));

/** Open the graph of the last visit; a graph that is gone is no error then. */
export async function reopenLast(graphId: string): Promise<boolean> {
  try {
    await open({ graph_id: graphId });
    return true;
  } catch (failure) {
    if (failure instanceof Refusal) return false;
    throw failure;
  }
}

export async function openFile(file: File): Promise<void> {
  let document: unknown;
  try {
    document = JSON.parse(await file.text());
  } catch {
    notify("error", `“${file.name}” is not JSON.`, "Drop a graph that Wiregrad exported.");
    return;
  }
  await openDocument(document);
}

export function chooseFile(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".json,application/json";
  input.onchange = () => {
    const [file] = input.files ?? [];
    if (file) void openFile(file);
  };
  input.click();
}

export const saveGraph = (title: string) =>
  attempt(async () => {
    await settled();
    const { graphId } = app.getState();
    if (!graphId) return;
    const reply = await request("graph_save", { graph_id: graphId, title });
    takeTitle(title, reply.revision);
    app.setState({ savedAt: reply.saved_at, overlay: null });
    notify("success", `Saved as “${title}”.`);
  });

export const exportGraph = () =>
  attempt(async () => {
    await settled();
    const { graphId, doc } = app.getState();
    if (!graphId) return;
    const link = document.createElement("a");
    link.href = downloadUrl(graphId);
    link.download = `${doc?.name || "graph"}.json`;
    link.click();
  });

export async function listGraphs(): Promise<GraphListItem[]> {
  return (await request("graph_list", {})).graphs;
}

export async function listRuns(): Promise<RunInfo[]> {
  return (await request("run_list", { graph_id: null })).runs;
}

export const deleteGraph = (graphId: string) =>
  attempt(async () => {
    await request("graph_delete", { graph_id: graphId });
    if (app.getState().graphId !== graphId) return;
    await leaveRun();
    remember({ graphId: null });
    app.setState({
      graphId: null,
      doc: null,
      outbox: [],
      summary: NO_SUMMARY,
      outputs: null,
      rewrites: NO_REWRITES,
    });
  });

export async function loadGallery(): Promise<void> {
  app.setState({ gallery: await getGallery() });
}

export const callGraph = () =>
  attempt(async () => {
    await settled();
    const { graphId, calling, opened, summary } = app.getState();
    if (!graphId) return;
    const [first = null] = summary.functions;
    const reply = await request("graph_call", { graph_id: graphId, function: calling ?? first });
    if (app.getState().opened !== opened) return;
    takeReport(reply.report);
    app.setState((state) => ({ outputs: reply.outputs, calls: state.calls + 1 }));
  });

export const resetGraph = () =>
  attempt(async () => {
    await settled();
    const { graphId, opened } = app.getState();
    if (!graphId) return;
    const { report } = await request("graph_reset", { graph_id: graphId });
    if (app.getState().opened !== opened) return;
    app.setState({ outputs: null, calls: 0 });
    takeReport(report);
  });

const galleryDocuments = new Map<string, Promise<GraphDocument>>();

/** A gallery graph to look at; each is fetched once. */
export function galleryDocument(name: string): Promise<GraphDocument> {
  const found = galleryDocuments.get(name) ?? getGalleryDocument(name);
  galleryDocuments.set(name, found);
  return found;
}
