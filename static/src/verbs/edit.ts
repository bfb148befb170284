import { layOut } from "../layout";
import { amend, app, commit, notify, select, type Wire } from "../store/app";
import { fragmentOf, paste, readFragment } from "../store/clipboard";
import type { End, GraphDocument, Point } from "../store/document";
import {
  addNode,
  connect,
  moveNodes,
  removeParts,
  rename,
  setMembership,
  setParam,
} from "../store/edits";
import { type Card, cardOf, inPorts, outPorts } from "../store/palette";
import { Edit } from "../store/patch";
import { cardSize } from "../store/size";
import { viewport } from "../store/viewport";

const BESIDE = 64;
const USUAL_SIZE = { width: 168, height: 96 };

function sizeOf(id: string): { width: number; height: number } {
  const { doc } = app.getState();
  return viewport()?.sizeOf(id) ?? (doc ? cardSize(cardOfNode(id), doc, id) : USUAL_SIZE);
}

/** The graph on the screen, for a verb that changes it. */
function withDoc<T>(verb: (doc: GraphDocument) => T): T | undefined {
  const { doc } = app.getState();
  return doc ? verb(doc) : undefined;
}

/** A free place beside the selected node, or in the middle of the view. */
function freePlace(doc: GraphDocument): Point {
  const { nodes } = app.getState().selection;
  const beside = nodes.at(-1);
  const at = beside ? doc.layout?.[beside] : undefined;
  const centre = viewport()?.centre() ?? [0, 0];
  let [x, y]: Point =
    beside && at
      ? [at[0] + sizeOf(beside).width + BESIDE, at[1]]
      : [centre[0] - USUAL_SIZE.width / 2, centre[1] - USUAL_SIZE.height / 2];
  const taken = Object.entries(doc.layout ?? {});
  const clash = () =>
    taken.some(([id, [left, top]]) => {
      const { width, height } = sizeOf(id);
      return x < left + width && left < x + USUAL_SIZE.width && y < top + height && top < y + 72;
    });
  for (let tries = 0; tries < 40 && clash(); tries++) y += 40;
  return [x, y];
}

/** Add a node of a card; with a held wire, its other end goes to the first port that fits. */
export function addCard(card: Card, at?: Point, held?: Wire | null): void {
  withDoc((doc) => {
    const { id, patches } = addNode(doc, card, at ?? freePlace(doc));
    const edit = new Edit(doc);
    for (const patch of patches) edit.push(patch);
    if (held) wireTo(edit, card, id, held);
    commit(`Add ${card.label}`, edit.patches);
    select([id]);
  });
}

function wireTo(edit: Edit, card: Card, id: string, { held, side, fits }: Wire): void {
  const ports = side === "from" ? inPorts(card, edit.doc, id) : outPorts(card, edit.doc, id);
  const port = fits?.[card.id] ?? ports[0]?.name;
  if (!port) return;
  const other: End = [id, port];
  const patches = side === "from" ? connect(edit.doc, held, other) : connect(edit.doc, other, held);
  for (const patch of patches) edit.push(patch);
}

export function deleteSelection(): void {
  withDoc((doc) => {
    const { nodes, edges } = app.getState().selection;
    commit("Delete", removeParts(doc, nodes, edges));
    select([]);
  });
}

export function moveTo(positions: Map<string, Point>): void {
  withDoc((doc) => commit("Move", moveNodes(doc, positions), "move"));
}

export function renameNode(id: string, name: string): void {
  withDoc((doc) => commit("Rename", rename(doc, id, name, cardOfNode(id)?.named ?? false)));
  app.setState({ renaming: null });
}

export function setTitle(title: string): void {
  withDoc((doc) => {
    const wanted = title.trim();
    if (wanted && wanted !== doc.title)
      commit("Title", new Edit(doc).set(["title"], wanted).patches);
  });
}

export function changeParam(id: string, name: string, value: unknown): void {
  withDoc((doc) =>
    commit(`Set ${name}`, setParam(doc, id, name, value), `nodes/${id}/params/${name}`),
  );
}

export function changeMembership(id: string, fn: string, member: boolean): void {
  withDoc((doc) => commit("Function", setMembership(doc, id, fn, member)));
}

export function changeTraining(key: string, value: unknown): void {
  withDoc((doc) => {
    const fallback = Object.keys(doc.functions ?? {})[0] ?? "main";
    const training = { function: fallback, steps: 1000, seed: 0, ...doc.training, [key]: value };
    commit("Training", new Edit(doc).set(["training"], training).patches, `training/${key}`);
  });
}

/** Whether rewriting is to leave out the laws that may hide a NaN or an error. */
export function setStrict(strict: boolean): void {
  withDoc((doc) => commit("Strict", new Edit(doc).set(["training", "strict"], strict).patches));
}

export function selectAll(): void {
  withDoc((doc) => select(Object.keys(doc.nodes)));
}

/** The selected nodes as text for the clipboard; empty when nothing is selected. */
export function copyText(): string {
  const { doc, selection } = app.getState();
  if (!doc || selection.nodes.length === 0) return "";
  return JSON.stringify(fragmentOf(doc, selection.nodes), null, 2);
}

export function pasteText(text: string, at?: Point): boolean {
  const fragment = readFragment(text);
  if (!fragment) {
    notify("info", "The clipboard holds no graph.", "Copy nodes, or the text of a graph file.");
    return false;
  }
  return withDoc((doc) => pasteFragment(doc, fragment, at ?? pastePlace())) ?? false;
}

function pasteFragment(
  doc: GraphDocument,
  fragment: NonNullable<ReturnType<typeof readFragment>>,
  at: Point,
): boolean {
  const { ids, patches } = paste(doc, fragment, at);
  commit("Paste", patches);
  select(ids);
  return ids.length > 0;
}

/** Where the pointer is when it is on the canvas, else the middle of the view. */
function pastePlace(): Point {
  const view = viewport();
  if (!view) return [0, 0];
  const [x, y] = view.pointer();
  const box = view.element()?.getBoundingClientRect();
  const inside = box && x > box.left && x < box.right && y > box.top && y < box.bottom;
  return inside ? view.toFlow([x, y]) : view.centre();
}

export function duplicate(): void {
  withDoc((doc) => {
    const { nodes } = app.getState().selection;
    const points = nodes.map((id): Point => doc.layout?.[id] ?? [0, 0]);
    if (points.length === 0) return;
    const middle = (axis: 0 | 1) =>
      (Math.min(...points.map((point) => point[axis])) +
        Math.max(...points.map((point) => point[axis]))) /
      2;
    pasteFragment(doc, fragmentOf(doc, nodes), [middle(0) + 40, middle(1) + 40]);
  });
}

export async function copyToClipboard(): Promise<void> {
  const text = copyText();
  if (text) await navigator.clipboard.writeText(text);
}

export async function pasteFromClipboard(): Promise<void> {
  try {
    pasteText(await navigator.clipboard.readText());
  } catch {
    notify("info", "The browser keeps the clipboard closed here.", "Press Ctrl+V instead.");
  }
}

/** Lay the whole graph out anew. */
export function tidy(undoable = true): void {
  withDoc((doc) => {
    const patches = moveNodes(doc, layOut(doc, sizeOf));
    if (undoable) commit("Tidy up", patches);
    else amend(patches);
    requestAnimationFrame(() => viewport()?.fit());
  });
}

/** Select a node and bring it into view. */
export function goTo(id: string): void {
  select([id]);
  viewport()?.fit([id]);
  viewport()?.focusNode(id);
}

/** Step through the problems, one node after the other. */
export function nextProblem(): void {
  const { summary, selection } = app.getState();
  const nodes = [...new Set(summary.problems.map((problem) => problem.node))];
  const here = nodes.indexOf(selection.nodes[0] ?? "");
  const next = nodes[(here + 1) % nodes.length];
  if (next) goTo(next);
}

/** Nodes that feed the selected ones, or are fed by them. */
export function selectStream(direction: "up" | "down"): void {
  withDoc((doc) => {
    const found = new Set(app.getState().selection.nodes);
    let grown = true;
    while (grown) {
      grown = false;
      for (const { from, to } of doc.edges) {
        const [near, far] = direction === "up" ? [to[0], from[0]] : [from[0], to[0]];
        if (found.has(near) && !found.has(far)) {
          found.add(far);
          grown = true;
        }
      }
    }
    select([...found]);
  });
}

/** The card of a node on the screen. */
export function cardOfNode(id: string): Card | undefined {
  const { doc, palette } = app.getState();
  const node = doc?.nodes[id];
  return node ? cardOf(palette, node) : undefined;
}
