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
  tex: string | null;
  aliases: string[];
  inputs: CardInput[];
  outputs: { name: string; doc: string }[];
  params: CardParam[];
  preset: Params;
  named: boolean;
  /** Draws nodes of old graphs, but is not offered for new ones. */
  hidden?: boolean;
}

export interface Palette {
  categories: string[];
  cards: Card[];
  dtypes: string[];
  max_rank: number;
}

export interface Port {
  name: string;
  doc: string;
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

function score(card: Card, word: string): number {
  const names = [card.id, card.label, card.op ?? ""].map((text) => text.toLowerCase());
  const aliases = [card.symbol, ...card.aliases].map((text) => text.toLowerCase());
  if (names.includes(word)) return 100;
  if (aliases.includes(word)) return 90;
  if (names.some((name) => name.startsWith(word))) return 70;
  if (aliases.some((alias) => alias.startsWith(word))) return 60;
  if (names.some((name) => name.includes(word))) return 40;
  if (aliases.some((alias) => alias.includes(word))) return 30;
  if (card.category.toLowerCase().includes(word)) return 20;
  return card.doc.toLowerCase().includes(word) ? 10 : 0;
}

/** Cards that match every word of the query, best first; all cards for an empty query. */
export function search(cards: Card[], query: string): Card[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const offered = cards.filter((card) => !card.hidden);
  if (words.length === 0) return offered;
  const found: { card: Card; points: number; order: number }[] = [];
  offered.forEach((card, order) => {
    const points = words.map((word) => score(card, word));
    if (points.every((one) => one > 0)) {
      found.push({ card, points: points.reduce((sum, one) => sum + one, 0), order });
    }
  });
  return found.sort((a, b) => b.points - a.points || a.order - b.order).map(({ card }) => card);
}

/** What a new node of a card is called before the person names it. */
export function suggestedName(card: Card): string {
  const symbol = card.symbol.trim();
  return /^[A-Za-z_]\w*$/.test(symbol) ? symbol : card.kind;
}
