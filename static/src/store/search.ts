// Finding a card by what a person calls it: its name, another library's name, or a word of its doc.

import type { Fits } from "../protocol";
import type { Card } from "./palette";

export interface Hit {
  card: Card;
  /** The other name that was meant, where it was not the card's own. */
  alias: string | null;
}

/** How well a word names a card: the card's own name before another one, the whole before a part. */
const POINTS = {
  name: 100,
  alias: 90,
  nameStart: 70,
  aliasStart: 60,
  namePart: 50,
  nameInside: 40,
  aliasInside: 30,
  docWord: 20,
  category: 15,
  docStart: 10,
} as const;

/** What is taken off where the card has no port for the wire that is held. */
const UNFIT = 55;

interface Entry {
  names: string[];
  parts: string[];
  aliases: { plain: string; text: string }[];
  category: string;
  doc: string[];
}

/** A name without what people write differently: `log_softmax` is `LogSoftmax` is `log softmax`. */
const plain = (name: string) => name.toLowerCase().replace(/(?<=.)[\s_.-]+/g, "");

const wordsOf = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

const entries = new WeakMap<Card, Entry>();

function entryOf(card: Card): Entry {
  const known = entries.get(card);
  if (known) return known;
  const names = [card.id, card.label, card.op ?? ""].filter(Boolean);
  const entry = {
    names: [...new Set(names.map(plain))],
    parts: names.flatMap((name) => name.toLowerCase().split(/[\s_]+/)),
    aliases: [card.symbol, ...card.aliases].map((text) => ({ plain: plain(text), text })),
    category: card.category.toLowerCase(),
    doc: wordsOf(card.doc),
  };
  entries.set(card, entry);
  return entry;
}

interface Score {
  points: number;
  alias: string | null;
}

const EVERYTHING: Score = { points: 1, alias: null };

function score(card: Card, word: string): Score {
  const { names, parts, aliases, category, doc } = entryOf(card);
  const named = (points: number): Score => ({ points, alias: null });
  if (names.includes(word)) return named(POINTS.name);
  const called = (points: number, fits: (alias: string) => boolean): Score | null => {
    const found = aliases.find((alias) => fits(alias.plain));
    return found ? { points, alias: found.text } : null;
  };
  return (
    called(POINTS.alias, (alias) => alias === word) ??
    (names.some((name) => name.startsWith(word)) ? named(POINTS.nameStart) : null) ??
    called(POINTS.aliasStart, (alias) => alias.startsWith(word)) ??
    (parts.some((part) => part.startsWith(word)) ? named(POINTS.namePart) : null) ??
    (names.some((name) => name.includes(word)) ? named(POINTS.nameInside) : null) ??
    called(POINTS.aliasInside, (alias) => alias.includes(word)) ??
    (doc.includes(word) ? named(POINTS.docWord) : null) ??
    (category.startsWith(word) ? named(POINTS.category) : null) ??
    named(doc.some((one) => one.startsWith(word)) ? POINTS.docStart : 0)
  );
}

/** What is asked for: `T.nnet.conv2d(x, w)` asks for conv2d. */
function asked(query: string): string {
  const [call = ""] = query.split("(");
  return /^[A-Za-z_][\w.]*\.\w*$/.test(call.trim()) ? (call.split(".").at(-1) ?? "") : call;
}

/** The words together as one name, or each for itself, whichever names the card better. */
function rate(card: Card, whole: string, words: string[]): Score {
  const together = score(card, whole);
  if (words.length < 2) return together;
  const apart = words.map((word) => score(card, word));
  if (apart.some(({ points }) => points === 0)) return together;
  const points = apart.reduce((sum, one) => sum + one.points, 0) / apart.length - 1;
  const alias = apart.find((one) => one.alias)?.alias ?? null;
  return points > together.points ? { points, alias } : together;
}

/**
 * The cards that are offered and match a query, best first; all of them for an empty one. With
 * `fits`, those that have a port for the held wire come before others that match about as well.
 */
export function search(cards: readonly Card[], query: string, fits: Fits | null = null): Hit[] {
  const text = asked(query.trim());
  const words = text.split(/\s+/).map(plain).filter(Boolean);
  const whole = plain(text);
  const found: (Hit & { points: number })[] = [];
  for (const card of cards) {
    if (card.hidden) continue;
    const { points, alias } = words.length > 0 ? rate(card, whole, words) : EVERYTHING;
    if (points === 0) continue;
    const unfit = fits !== null && !fits[card.id];
    found.push({
      card,
      alias: alias === card.symbol ? null : alias,
      points: points - (unfit ? UNFIT : 0),
    });
  }
  return found.sort((a, b) => b.points - a.points);
}

const MOST_SLIPS = 2;
const MOST_SUGGESTIONS = 4;

/** What a query that finds nothing may have been meant to be: names that are a slip or two away. */
export function suggest(cards: readonly Card[], query: string): Hit[] {
  const word = plain(asked(query.trim()));
  const allowed = word.length < 5 ? 1 : MOST_SLIPS;
  const found: (Hit & { slips: number })[] = [];
  for (const card of cards) {
    if (card.hidden) continue;
    const { names, aliases } = entryOf(card);
    const near = [
      ...names.map((name) => ({ alias: null, slips: slips(name, word) })),
      // A card's own name is the likelier one.
      ...aliases.map(({ plain, text }) => ({ alias: text, slips: slips(plain, word) + 0.5 })),
    ].filter((one) => one.slips < allowed + 1);
    const [nearest] = near.sort((a, b) => a.slips - b.slips);
    if (nearest) found.push({ card, ...nearest });
  }
  return found.sort((a, b) => a.slips - b.slips).slice(0, MOST_SUGGESTIONS);
}

/** How many letters must be put in, left out, replaced or swapped with the next one. */
function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MOST_SLIPS) return MOST_SLIPS + 1;
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + same,
          swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
