// The graph document as the browser holds it, and the questions one asks of it.

export type Params = Record<string, unknown>;

export interface GraphNode {
  kind: string;
  op?: string;
  name?: string;
  params?: Params;
}

/** One end of a wire: node id and port name. */
export type End = [node: string, port: string];

export interface GraphEdge {
  from: End;
  to: End;
}

export interface GraphFunction {
  inputs?: string[];
  outputs?: string[];
  updates?: string[];
}

export interface Training {
  function?: string;
  cost?: string;
  steps?: number;
  seed?: number;
  /** Whether rewriting never hides a NaN or an error. */
  strict?: boolean;
}

export type Point = [x: number, y: number];

export interface GraphDocument {
  format: string;
  version: number;
  name: string;
  title: string;
  summary?: string;
  nodes: Record<string, GraphNode>;
  edges: GraphEdge[];
  functions?: Record<string, GraphFunction>;
  training?: Training;
  layout?: Record<string, Point>;
  notes?: Record<string, { text: string; at: Point }>;
  view?: { x: number; y: number; zoom: number };
}

export interface Wiring {
  into: ReadonlyMap<string, GraphEdge[]>;
  from: ReadonlyMap<string, GraphEdge[]>;
}

const wirings = new WeakMap<GraphEdge[], Wiring>();

/** Edges by node, computed once per list: nodes on the canvas ask for theirs on every draw. */
export function wiring(edges: GraphEdge[]): Wiring {
  const known = wirings.get(edges);
  if (known) return known;
  const into = new Map<string, GraphEdge[]>();
  const from = new Map<string, GraphEdge[]>();
  const add = (map: Map<string, GraphEdge[]>, id: string, edge: GraphEdge) => {
    const list = map.get(id);
    if (list) list.push(edge);
    else map.set(id, [edge]);
  };
  for (const edge of edges) {
    add(into, edge.to[0], edge);
    add(from, edge.from[0], edge);
  }
  const found = { into, from };
  wirings.set(edges, found);
  return found;
}

export function edgeInto(doc: GraphDocument, [node, port]: End): GraphEdge | undefined {
  return wiring(doc.edges)
    .into.get(node)
    ?.find((edge) => edge.to[1] === port);
}

/** An in-port takes one wire, so its name is the wire's. */
export function edgeId(edge: GraphEdge): string {
  return `${edge.to[0]}:${edge.to[1]}`;
}

export function sameEnd(a: End, b: End): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A random id that was never used in this document. */
export function mintId(taken: Record<string, unknown>): string {
  for (;;) {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    const id = Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join("");
    if (!(id in taken)) return id;
  }
}

export function namesIn(doc: GraphDocument): Set<string> {
  const names = new Set<string>();
  for (const node of Object.values(doc.nodes)) if (node.name) names.add(node.name);
  return names;
}

/** `wanted`, or `wanted2`, `wanted3`, … whichever is free. */
export function freeName(wanted: string, taken: Set<string>): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/_?\d+$/, "") || wanted;
  for (let count = 2; ; count++) {
    const name = `${stem}${count}`;
    if (!taken.has(name)) return name;
  }
}

/** The scalar inputs that a run listens to while it runs. */
export function liveInputs(doc: GraphDocument): string[] {
  const trained = doc.functions?.[doc.training?.function ?? ""];
  const ids = trained?.inputs ?? Object.keys(doc.nodes);
  return ids.filter((id) => {
    const node = doc.nodes[id];
    const shape = node?.params?.shape;
    const value = node?.params?.value;
    return (
      node?.kind === "input" && Array.isArray(shape) && shape.length === 0 && value !== undefined
    );
  });
}
