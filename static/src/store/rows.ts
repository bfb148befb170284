// What a list of cards shows, row by row: groups that fold, or the hits of a search.

import type { Fits } from "../protocol";
import type { Card } from "./palette";
import { type Hit, search, suggest } from "./search";

export interface Fold {
  type: "fold";
  id: string;
  label: string;
  count: number;
  open: boolean;
  /** Whether it is inside another one. */
  inner: boolean;
}

export type Row =
  | { type: "card"; hit: Hit; unfit: boolean }
  | Fold
  | { type: "note"; text: string };

/** Which groups a person folded (false) or unfolded (true); the others are as they are at first. */
export type Folds = Readonly<Record<string, boolean>>;

/** About as many as fill a screen, in the order in which a learner meets them. */
const OPEN_AT_FIRST = 3;
const MOST_HITS = 60;
/** The group of the cards that have no port for the held wire. */
const UNFIT = "unfit";

const note = (text: string): Row => ({ type: "note", text });

const cardRow = (hit: Hit, fits: Fits | null): Row => ({
  type: "card",
  hit,
  unfit: fits !== null && !fits[hit.card.id],
});

const plainRows = (cards: Card[], fits: Fits | null): Row[] =>
  cards.map((card) => cardRow({ card, alias: null }, fits));

/** Rows that a head folds away, and the head. */
function folded(
  id: string,
  label: string,
  count: number,
  open: boolean,
  inner: boolean,
  rows: () => Row[],
): Row[] {
  const head: Row = { type: "fold", id, label, count, open, inner };
  return open ? [head, ...rows()] : [head];
}

/** A variable that is named after a type other than the usual one: found by its name. */
function isRareType({ id, kind, preset }: Card, cards: readonly Card[]): boolean {
  const general = cards.find((card) => card.id === kind);
  return id !== kind && kind !== "op" && preset.dtype !== general?.preset.dtype;
}

/** All cards in their groups; with `fits`, those without a port for the held wire come last. */
export function groupRows(
  cards: readonly Card[],
  categories: readonly string[],
  folds: Folds,
  fits: Fits | null = null,
): Row[] {
  const groups = new Map(categories.map((name): [string, Card[]] => [name, []]));
  const apart: Card[] = [];
  for (const card of cards) {
    if (card.hidden) continue;
    if (fits !== null && !fits[card.id]) apart.push(card);
    else groups.get(card.category)?.push(card);
  }
  const rows = [...groups].flatMap(([name, members], at) => {
    if (members.length === 0) return [];
    return folded(name, name, members.length, folds[name] ?? at < OPEN_AT_FIRST, false, () => {
      const rare = members.filter((card) => isRareType(card, cards));
      const usual = members.filter((card) => !rare.includes(card));
      if (rare.length === 0) return plainRows(members, null);
      const id = `${name}/types`;
      return [
        ...plainRows(usual, null),
        ...folded(id, "more types", rare.length, folds[id] ?? false, true, () =>
          plainRows(rare, null),
        ),
      ];
    });
  });
  if (apart.length === 0) return rows;
  const others = folded(
    UNFIT,
    "Without a port for it",
    apart.length,
    folds[UNFIT] ?? false,
    false,
    () => plainRows(apart, fits),
  );
  return [...rows, ...others];
}

/** What a search finds, or what it may have been meant to find. */
export function searchRows(cards: readonly Card[], query: string, fits: Fits | null = null): Row[] {
  const hits = search(cards, query, fits);
  if (hits.length === 0) {
    const near = suggest(cards, query).map((hit) => cardRow(hit, fits));
    return [note(`Nothing is called that.${near.length > 0 ? " Perhaps:" : ""}`), ...near];
  }
  const rows = hits.slice(0, MOST_HITS).map((hit) => cardRow(hit, fits));
  const others = hits.length - rows.length;
  return others > 0 ? [...rows, note(`${others} more; type on to narrow them down.`)] : rows;
}
