// Every change of a graph as patches: pure functions from the document to what must change in it.

import type { Patch } from "../protocol";
import type { End, GraphDocument, GraphEdge, GraphFunction, Point } from "./document";
import { freeName, mintId, namesIn, sameEnd } from "./document";
import type { Card } from "./palette";
import { suggestedName } from "./palette";
import { Edit } from "./patch";

/** The list of a function that a node kind belongs to. */
const ROLE: Record<string, keyof GraphFunction> = {
  input: "inputs",
  output: "outputs",
  update: "updates",
  optimiser: "updates",
};

export const roleOf = (kind: string): keyof GraphFunction | undefined => ROLE[kind];

export function addNode(
  doc: GraphDocument,
  card: Card,
  at: Point,
): { id: string; patches: Patch[] } {
  const id = mintId(doc.nodes);
  const edit = new Edit(doc);
  const name = card.named ? freeName(suggestedName(card), namesIn(doc)) : undefined;
  edit.set(["nodes", id], {
    kind: card.kind,
    ...(card.op ? { op: card.op } : {}),
    ...(name ? { name } : {}),
    params: structuredClone(card.preset),
  });
  edit.set(["layout", id], rounded(at));
  joinFunction(edit, id, card.kind);
  return { id, patches: edit.patches };
}

/** A new result or update belongs to the function being trained, or to the only one there is. */
function joinFunction(edit: Edit, id: string, kind: string): void {
  const role = roleOf(kind);
  const functions = Object.keys(edit.doc.functions ?? {});
  const chosen = edit.doc.training?.function ?? functions[0];
  if (!role || !chosen || !functions.includes(chosen)) return;
  const members = edit.doc.functions?.[chosen]?.[role] ?? [];
  edit.set(["functions", chosen, role], [...members, id]);
}

export function setMembership(
  doc: GraphDocument,
  id: string,
  fn: string,
  member: boolean,
): Patch[] {
  const role = roleOf(doc.nodes[id]?.kind ?? "");
  if (!role) return [];
  const others = (doc.functions?.[fn]?.[role] ?? []).filter((other) => other !== id);
  return new Edit(doc).set(["functions", fn, role], member ? [...others, id] : others).patches;
}

export function removeParts(doc: GraphDocument, nodes: string[], wires: string[]): Patch[] {
  const gone = new Set(nodes.filter((id) => id in doc.nodes));
  const cut = new Set(wires);
  const edit = new Edit(doc);
  const edges = doc.edges.filter(
    ({ from, to }) => !gone.has(from[0]) && !gone.has(to[0]) && !cut.has(`${to[0]}:${to[1]}`),
  );
  if (edges.length !== doc.edges.length) edit.set(["edges"], edges);
  for (const [name, fn] of Object.entries(doc.functions ?? {})) {
    for (const role of ["inputs", "outputs", "updates"] as const) {
      const kept = fn[role]?.filter((id) => !gone.has(id));
      if (kept && kept.length !== fn[role]?.length) edit.set(["functions", name, role], kept);
    }
  }
  if (doc.training?.cost && gone.has(doc.training.cost)) edit.remove(["training"]);
  for (const id of gone) {
    edit.remove(["layout", id]);
    edit.remove(["nodes", id]);
  }
  return edit.patches;
}

/** Wire two ports; a wire that already ends in the in-port gives way. */
export function connect(doc: GraphDocument, from: End, to: End): Patch[] {
  const kept = doc.edges.filter((edge) => !sameEnd(edge.to, to));
  return new Edit(doc).set(["edges"], [...kept, { from, to }]).patches;
}

/** Take a wire off one end and put it elsewhere: one step to undo. */
export function rewire(doc: GraphDocument, old: GraphEdge, from: End, to: End): Patch[] {
  const kept = doc.edges.filter((edge) => !sameEnd(edge.to, old.to) && !sameEnd(edge.to, to));
  return new Edit(doc).set(["edges"], [...kept, { from, to }]).patches;
}

export function moveNodes(doc: GraphDocument, positions: Map<string, Point>): Patch[] {
  const edit = new Edit(doc);
  for (const [id, at] of positions) {
    const [x, y] = rounded(at);
    const old = doc.layout?.[id];
    if (id in doc.nodes && !(old && old[0] === x && old[1] === y)) edit.set(["layout", id], [x, y]);
  }
  return edit.patches;
}

/** Give a node the shown name, made unique among all names; one that needs a name keeps its old. */
export function rename(doc: GraphDocument, id: string, wanted: string, needed: boolean): Patch[] {
  const node = doc.nodes[id];
  const name = wanted.trim();
  if (!node || name === (node.name ?? "")) return [];
  if (name === "" && needed) return [];
  if (name === "") return new Edit(doc).remove(["nodes", id, "name"]).patches;
  const taken = namesIn(doc);
  if (node.name) taken.delete(node.name);
  return new Edit(doc).set(["nodes", id, "name"], freeName(name, taken)).patches;
}

export function setParam(doc: GraphDocument, id: string, name: string, value: unknown): Patch[] {
  const path = ["nodes", id, "params", name];
  const edit = new Edit(doc);
  return value === undefined ? edit.remove(path).patches : edit.set(path, value).patches;
}

const rounded = ([x, y]: Point): Point => [Math.round(x), Math.round(y)];
