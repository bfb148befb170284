import { createStore } from "zustand/vanilla";
import type { Fits, Patch, Report, RunInfo, Value, Verdicts, WireError } from "../protocol";
import type { End, GraphDocument, Point } from "./document";
import { NodeFacts } from "./facts";
import { chosenStep, NO_REWRITES, type Rewrites } from "./film";
import type { Palette } from "./palette";
import { append, apply } from "./patch";
import type { Folds } from "./rows";
import { Series } from "./series";

export interface GalleryEntry {
  name: string;
  title: string;
  summary: string;
  nodes: number;
  trainable: boolean;
}

export interface UndoEntry {
  label: string;
  forward: Patch[];
  inverse: Patch[];
  /** Edits with the same key, made one right after the other, are one step. */
  merge: string | null;
  at: number;
}

export interface Problem {
  node: string;
  message: string;
  hint: string | null;
  severity: "error" | "warning";
}

export interface Summary {
  functions: string[];
  trainable: boolean;
  problem: string | null;
  milliseconds: number;
  problems: Problem[];
}

export interface Wire {
  /** The end that is held; the other one is being looked for. */
  held: End;
  side: "from" | "to";
  verdicts: Verdicts | null;
  /** Which cards have a port for it. */
  fits: Fits | null;
}

export interface QuickAdd {
  screen: Point;
  /** Where on the canvas; null for wherever there is room. */
  flow: Point | null;
  /** The wire that was let go there. */
  wire: Wire | null;
}

export interface Notice {
  id: number;
  level: "info" | "success" | "warning" | "error";
  message: string;
  hint: string | null;
}

export type Connection = "connecting" | "online" | "offline" | "refused";
export type Overlay = "home" | "help" | "commands" | "wire" | "save" | null;
export type Theme = "system" | "light" | "dark";
export type PanelName = "palette" | "inspector" | "train" | "rewrites";

export interface AppState {
  palette: Palette | null;
  gallery: GalleryEntry[] | null;
  connection: Connection;

  graphId: string | null;
  /** The newest revision the server has acknowledged. */
  revision: number;
  doc: GraphDocument | null;
  /** Changed whenever another document takes the place of this one. */
  opened: number;
  undo: UndoEntry[];
  redo: UndoEntry[];
  /** Edits made here that the server has not acknowledged yet, oldest first. */
  outbox: Patch[];
  /** How many patches are under way to the server. */
  sending: number;
  savedAt: string | number | null;
  summary: Summary;
  outputs: Record<string, Value> | null;
  /** How often Call was pressed since the graph was opened or reset. */
  calls: number;
  /** The function that Call calls; null for the main one. */
  calling: string | null;

  selection: { nodes: string[]; edges: string[] };
  wire: Wire | null;
  quickAdd: QuickAdd | null;
  /** Where the menu of verbs is open. */
  menu: Point | null;
  overlay: Overlay;
  homeTab: "gallery" | "graphs" | "runs";
  helpTab: "start" | "keys" | "reference";
  /** The card that the reference is open at. */
  entry: string | null;
  /** The node under the pointer. */
  pointed: string | null;
  /** The node whose name is being typed. */
  renaming: string | null;
  notices: Notice[];
  panels: Record<PanelName, boolean>;
  /** The groups of the palette that are open or not by a person's wish. */
  folds: Folds;
  theme: Theme;
  logScale: boolean;

  run: RunInfo | null;
  stepsPerSecond: number;
  /** The speed asked for; null runs as fast as the machine can. */
  speed: number | null;
  /** The nodes whose values the run sends. */
  streamed: ReadonlySet<string>;
  /** The graph was changed after the run began. */
  runStale: boolean;

  rewrites: Rewrites;
}

export const NO_SUMMARY: Summary = {
  functions: [],
  trainable: false,
  problem: null,
  milliseconds: 0,
  problems: [],
};

/** Fast, yet slow enough that a small network is seen to learn. */
const VISIBLE_SPEED = 5000;

export const app = createStore<AppState>(() => ({
  palette: null,
  gallery: null,
  connection: "connecting",
  graphId: null,
  revision: 0,
  doc: null,
  opened: 0,
  undo: [],
  redo: [],
  outbox: [],
  sending: 0,
  savedAt: null,
  summary: NO_SUMMARY,
  outputs: null,
  calls: 0,
  calling: null,
  selection: { nodes: [], edges: [] },
  wire: null,
  quickAdd: null,
  menu: null,
  overlay: null,
  homeTab: "gallery",
  helpTab: "start",
  entry: null,
  pointed: null,
  renaming: null,
  notices: [],
  panels: { palette: true, inspector: true, train: true, rewrites: false },
  folds: {},
  theme: "system",
  logScale: false,
  run: null,
  stepsPerSecond: 0,
  speed: VISIBLE_SPEED,
  streamed: new Set(),
  runStale: false,
  rewrites: NO_REWRITES,
}));

export const facts = new NodeFacts();
export const series = new Series();

const MERGE_WITHIN_MS = 1500;
const UNDO_DEPTH = 500;

/** Change the document: the patches are the undo step and the message to the server at once. */
export function commit(label: string, patches: Patch[], merge: string | null = null): void {
  const { doc, undo, outbox } = app.getState();
  if (!doc || patches.length === 0) return;
  const applied = apply(doc, patches);
  const entry = { label, forward: patches, inverse: applied.inverse, merge, at: Date.now() };
  app.setState({
    doc: applied.doc,
    undo: remember(undo, entry),
    redo: [],
    outbox: append(outbox, patches),
  });
}

/** Change the document without a step to undo: what a graph lacked when it was opened. */
export function amend(patches: Patch[]): void {
  const { doc, outbox } = app.getState();
  if (!doc || patches.length === 0) return;
  app.setState({ doc: apply(doc, patches).doc, outbox: append(outbox, patches) });
}

function remember(undo: UndoEntry[], entry: UndoEntry): UndoEntry[] {
  const last = undo.at(-1);
  if (last && entry.merge && last.merge === entry.merge && entry.at - last.at < MERGE_WITHIN_MS) {
    const merged = {
      ...entry,
      forward: append(last.forward, entry.forward),
      inverse: [...entry.inverse, ...last.inverse],
    };
    return [...undo.slice(0, -1), merged];
  }
  return [...undo, entry].slice(-UNDO_DEPTH);
}

export function undo(): void {
  const { undo: stack, redo } = app.getState();
  const entry = stack.at(-1);
  if (!entry) return;
  travel(entry.inverse);
  app.setState({ undo: stack.slice(0, -1), redo: [...redo, { ...entry, merge: null }] });
}

export function redo(): void {
  const { undo: stack, redo: ahead } = app.getState();
  const entry = ahead.at(-1);
  if (!entry) return;
  travel(entry.forward);
  app.setState({ undo: [...stack, { ...entry, merge: null }], redo: ahead.slice(0, -1) });
}

function travel(patches: Patch[]): void {
  const { doc, outbox, selection } = app.getState();
  if (!doc) return;
  const next = apply(doc, patches).doc;
  const nodes = selection.nodes.filter((id) => id in next.nodes);
  app.setState({
    doc: next,
    outbox: append(outbox, patches),
    selection: { nodes, edges: [] },
  });
}

/** Take another document's place on the screen, with nothing to undo. */
export function openDocument(graphId: string, revision: number, doc: GraphDocument): void {
  const same = app.getState().graphId === graphId;
  app.setState((state) => ({
    graphId,
    revision,
    doc: { ...doc, edges: doc.edges ?? [] },
    opened: state.opened + 1,
    undo: [],
    redo: [],
    outbox: [],
    outputs: same ? state.outputs : null,
    calls: same ? state.calls : 0,
    calling: same ? state.calling : null,
    selection: { nodes: [], edges: [] },
    wire: null,
    quickAdd: null,
    renaming: null,
    runStale: false,
    rewrites: { ...NO_REWRITES, function: same ? state.rewrites.function : null },
  }));
}

export function takeReport(report: Report): void {
  facts.report(report);
  const problems: Problem[] = [];
  for (const [node, { error, warnings }] of Object.entries(report.nodes)) {
    if (error) problems.push({ node, severity: "error", ...sentence(error) });
    for (const message of warnings ?? []) {
      problems.push({ node, message, hint: null, severity: "warning" });
    }
  }
  problems.sort((a, b) => a.severity.localeCompare(b.severity));
  app.setState({
    summary: {
      functions: Object.keys(report.functions),
      trainable: report.trainable,
      problem: report.problem,
      milliseconds: report.milliseconds,
      problems,
    },
  });
}

export function sentence(error: WireError): { message: string; hint: string | null } {
  return { message: error.message, hint: error.hint };
}

export function select(nodes: string[], edges: string[] = []): void {
  app.setState({ selection: { nodes, edges } });
}

let notices = 0;

export function notify(level: Notice["level"], message: string, hint: string | null = null): void {
  const id = ++notices;
  const others = app.getState().notices.filter((notice) => notice.message !== message);
  app.setState({ notices: [...others, { id, level, message, hint }].slice(-4) });
}

export function dismiss(id: number): void {
  app.setState({ notices: app.getState().notices.filter((notice) => notice.id !== id) });
}

/** Whether a node still shows what it was before the run that goes on now. */
export const isBygone = ({ run, graphId, streamed }: AppState, id: string): boolean =>
  isLive(run) && run?.graph_id === graphId && run.step > 0 && !streamed.has(id);

const NO_NODES: ReadonlySet<string> = new Set();

/** The nodes that the rewriting step which is looked at is about. */
export const litNodes = ({ panels, rewrites }: AppState): ReadonlySet<string> =>
  (panels.rewrites && chosenStep(rewrites)?.origins) || NO_NODES;

export const isLive = (run: RunInfo | null): boolean =>
  run !== null && ["starting", "compiling", "running", "paused"].includes(run.state);
