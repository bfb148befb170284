// A piece of a graph as text: what copy puts on the system clipboard and paste reads back.

import type { Patch } from "../protocol";
import type { GraphDocument, GraphEdge, GraphNode, Point } from "./document";
import { freeName, mintId, namesIn } from "./document";
import { roleOf } from "./edits";
import { Edit } from "./patch";

const FORMAT = "wiregrad-fragment";

export interface Fragment {
  format: typeof FORMAT;
  version: 1;
  nodes: Record<string, GraphNode>;
  edges: GraphEdge[];
  layout: Record<string, Point>;
}

export function fragmentOf(doc: GraphDocument, ids: string[]): Fragment {
  const chosen = new Set(ids);
  const nodes: Record<string, GraphNode> = {};
  const layout: Record<string, Point> = {};
  for (const id of ids) {
    const node = doc.nodes[id];
    if (!node) continue;
    nodes[id] = node;
    layout[id] = doc.layout?.[id] ?? [0, 0];
  }
  const edges = doc.edges.filter(({ from, to }) => chosen.has(from[0]) && chosen.has(to[0]));
  return { format: FORMAT, version: 1, nodes, edges, layout };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The fragment in a text, or null: a whole graph counts too, other text does not. */
export function readFragment(text: string): Fragment | null {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(data) || !isRecord(data.nodes)) return null;
  if (data.format !== FORMAT && data.format !== "wiregrad") return null;
  const isEnd = (end: unknown) => Array.isArray(end) && end.length === 2;
  const edges = Array.isArray(data.edges) ? data.edges : [];
  return {
    format: FORMAT,
    version: 1,
    nodes: data.nodes as Record<string, GraphNode>,
    edges: edges.filter((edge): edge is GraphEdge => isEnd(edge?.from) && isEnd(edge?.to)),
    layout: isRecord(data.layout) ? (data.layout as Record<string, Point>) : {},
  };
}

/** Put a fragment into the document with new ids and free names, its middle at `at`. */
export function paste(
  doc: GraphDocument,
  fragment: Fragment,
  at: Point,
): { ids: string[]; patches: Patch[] } {
  const edit = new Edit(doc);
  const names = namesIn(doc);
  const shift = offset(fragment, at);
  const minted = new Map<string, string>();
  for (const [old, node] of Object.entries(fragment.nodes)) {
    const id = mintId(edit.doc.nodes);
    minted.set(old, id);
    const copy = structuredClone(node);
    if (copy.name) {
      copy.name = freeName(copy.name, names);
      names.add(copy.name);
    }
    const [x, y] = fragment.layout[old] ?? [0, 0];
    edit.set(["nodes", id], copy);
    edit.set(["layout", id], [Math.round(x + shift[0]), Math.round(y + shift[1])]);
    joinOnlyFunction(edit, id, copy.kind);
  }
  const wires = fragment.edges.flatMap(({ from, to }): GraphEdge[] => {
    const source = minted.get(from[0]);
    const target = minted.get(to[0]);
    return source && target ? [{ from: [source, from[1]], to: [target, to[1]] }] : [];
  });
  if (wires.length > 0) edit.set(["edges"], [...doc.edges, ...wires]);
  return { ids: [...minted.values()], patches: edit.patches };
}

function joinOnlyFunction(edit: Edit, id: string, kind: string): void {
  const role = roleOf(kind);
  const [name, ...others] = Object.keys(edit.doc.functions ?? {});
  if (!role || !name || others.length > 0) return;
  const members = edit.doc.functions?.[name]?.[role] ?? [];
  edit.set(["functions", name, role], [...members, id]);
}

function offset(fragment: Fragment, [x, y]: Point): Point {
  const points = Object.keys(fragment.nodes).map((id): Point => fragment.layout[id] ?? [0, 0]);
  const middle = (axis: 0 | 1) => {
    const along = points.map((point) => point[axis]);
    return (Math.min(...along) + Math.max(...along)) / 2;
  };
  return [x - middle(0), y - middle(1)];
}
