import type { GraphDocument, GraphNode, Params } from "./document";
import { wiring } from "./document";

/** The MIME type under which a card is dragged from the palette. */
export const CARD_TYPE = "application/x-wiregrad-card";

export interface CardInput {
  name: string;
  doc: string;
  variadic: boolean;
  optional: boolean;
}

export interface CardParam {
  name: string;
  type: string;
  default: unknown;
  doc: string;
  choices: unknown[] | null;
  min: number | null;
  max: number | null;
}

export interface Card {
  id: string;
  kind: string;
  op: string | null;
  label: string;
  symbol: string;
  category: string;
  doc: string;
  /** How Python calls the op. */
  signature: string | null;
  tex: string | null;
  aliases: string[];
  inputs: CardInput[];
  outputs: { name: string; doc: string }[];
  params: CardParam[];
  preset: Params;
  named: boolean;
  /** Why it has no gradient; null where it has one. */
  no_gradient: string | null;
  /** Draws nodes of old graphs, but is not offered for new ones. */
  hidden?: boolean;
}

export interface Palette {
  categories: string[];
  cards: Card[];
  dtypes: string[];
  max_rank: number;
}

/** Before the server has sent one. */
export const NO_PALETTE: Palette = { categories: [], cards: [], dtypes: [], max_rank: 0 };

export interface Port {
  name: string;
  doc: string;
  /** Whether the node also works with nothing wired in. */
  optional: boolean;
  /** The last, still empty slot of a port that takes any number of wires. */
  spare: boolean;
}

interface CardIndex {
  byOp: Map<string, Card>;
  byKind: Map<string, Card>;
}

const indexes = new WeakMap<Palette, CardIndex>();

function indexOf(palette: Palette): CardIndex {
  const known = indexes.get(palette);
  if (known) return known;
  const index: CardIndex = { byOp: new Map(), byKind: new Map() };
  for (const card of palette.cards) {
    if (card.kind === "op" && card.op) index.byOp.set(card.op, card);
    else if (card.id === card.kind || !index.byKind.has(card.kind))
      index.byKind.set(card.kind, card);
  }
  indexes.set(palette, index);
  return index;
}

/** The card that draws a node; none when this program has no such op. */
export function cardOf(palette: Palette | null, node: GraphNode): Card | undefined {
  if (!palette) return undefined;
  const { byOp, byKind } = indexOf(palette);
  return node.kind === "op" ? byOp.get(node.op ?? "") : byKind.get(node.kind);
}

/** In-ports of a node: variadic ones show their wires and one spare slot. */
export function inPorts(card: Card | undefined, doc: GraphDocument, id: string): Port[] {
  const wired = (wiring(doc.edges).into.get(id) ?? []).map((edge) => edge.to[1]);
  const ports: Port[] = [];
  for (const input of card?.inputs ?? []) {
    if (!input.variadic) {
      ports.push({ name: input.name, doc: input.doc, optional: input.optional, spare: false });
      continue;
    }
    const slots = wired
      .filter((port) => port.startsWith(`${input.name}.`))
      .map((port) => Number(port.slice(input.name.length + 1)));
    const count = Math.max(-1, ...slots) + 2;
    for (let slot = 0; slot < count; slot++) {
      const spare = slot === count - 1;
      ports.push({ name: `${input.name}.${slot}`, doc: input.doc, optional: spare, spare });
    }
  }
  // A wire into a port that the card lacks stays visible, so that it can be taken off.
  const known = new Set(ports.map((port) => port.name));
  for (const name of wired) {
    if (!known.has(name)) ports.push({ name, doc: "", optional: true, spare: false });
  }
  return ports;
}

export function outPorts(card: Card | undefined, doc: GraphDocument, id: string): Port[] {
  const ports = (card?.outputs ?? []).map(({ name, doc: text }) => ({
    name,
    doc: text,
    optional: false,
    spare: false,
  }));
  const known = new Set(ports.map((port) => port.name));
  for (const edge of wiring(doc.edges).from.get(id) ?? []) {
    if (known.has(edge.from[1])) continue;
    known.add(edge.from[1]);
    ports.push({ name: edge.from[1], doc: "", optional: false, spare: false });
  }
  return ports;
}

/** What a new node of a card is called before the person names it. */
export function suggestedName(card: Card): string {
  const symbol = card.symbol.trim();
  return /^[A-Za-z_]\w*$/.test(symbol) ? symbol : card.kind;
}
