// The film of how a graph is rewritten, as far as its pages have come: kept, filtered, followed.

import type { FilmLaw, FilmOpenReply, FilmPage, FilmStep } from "../protocol";
import type { GraphDocument } from "./document";

/** One step, with the canvas nodes that it is about instead of the nodes of the film. */
export interface Step
  extends Pick<
    FilmStep,
    | "phase"
    | "rule"
    | "why"
    | "tags"
    | "before"
    | "after"
    | "before_tex"
    | "after_tex"
    | "nodes_before"
    | "nodes_after"
    | "cost_before"
    | "cost_after"
    | "seconds"
    | "inside"
  > {
  origins: ReadonlySet<string>;
}

/** The film of the whole graph, or that inside of one of its steps. */
export interface Part {
  path: readonly number[];
  /** By position; undefined where no page has come yet. */
  steps: readonly (Step | undefined)[];
  /** The canvas nodes that each known node of the film stems from. */
  origins: ReadonlyMap<number, readonly string[]>;
}

export interface Film {
  id: string;
  /** The document that it is of. */
  of: GraphDocument;
  function: string;
  nodes: [before: number, after: number];
  cost: [before: number, after: number];
  /** How many steps there are, with those inside of others. */
  total: number;
  seconds: number;
  laws: readonly FilmLaw[];
  warnings: readonly string[];
  /** By the key of the step that they are inside of; that of the whole graph has the key "". */
  parts: ReadonlyMap<string, Part>;
}

/** What makes it another film. */
export interface Wish {
  opened: number;
  function: string | null;
  strict: boolean;
}

export interface FilmFailure {
  message: string;
  hint: string | null;
  /** The canvas node at fault. */
  node: string | null;
  /** The server did not answer, rather than refuse. */
  lost: boolean;
  /** The document that it is about. */
  of: GraphDocument | null;
}

/** What the panel of rewrites shows. */
export interface Rewrites {
  film: Film | null;
  /** What was asked for last. */
  asked: Wish | null;
  asking: boolean;
  failure: FilmFailure | null;
  /** The function whose film is wanted; null for the one that is trained. */
  function: string | null;
  /** The key of the step that is looked at; null before the first one. */
  chosen: string | null;
  /** The keys of the steps whose insides are shown. */
  unfolded: ReadonlySet<string>;
  phase: string | null;
  words: string;
  playing: boolean;
}

export const NO_REWRITES: Rewrites = {
  film: null,
  asked: null,
  asking: false,
  failure: null,
  function: null,
  chosen: null,
  unfolded: new Set(),
  phase: null,
  words: "",
  playing: false,
};

/** A step in the list. */
export interface Row {
  key: string;
  part: string;
  position: number;
  /** How deep it is inside of other steps. */
  depth: number;
}

/** Steps that are still to be asked for. */
export interface Gap {
  path: readonly number[];
  start: number;
  /** Whether the nodes before them are unknown. */
  frame: boolean;
}

/** How many steps are asked for at once. */
export const PAGE = 100;

const keyOf = (path: readonly number[]) => path.join("/");

/** The words of a law's name. */
export const lawWords = (rule: string): string => rule.replaceAll("_", " ");

export function filmOf(reply: FilmOpenReply, of: GraphDocument): Film {
  const film: Film = {
    id: reply.film_id,
    of,
    function: reply.function,
    nodes: [reply.nodes_before, reply.nodes_after],
    cost: [reply.cost_before, reply.cost_after],
    total: reply.page.total,
    seconds: reply.laws.reduce((sum, law) => sum + law.seconds, 0),
    laws: reply.laws,
    warnings: reply.page.warnings,
    parts: new Map(),
  };
  return withPage(film, reply.page);
}

/** The film with the steps of one more page. */
export function withPage(film: Film, page: FilmPage): Film {
  const key = keyOf(page.path);
  const old = film.parts.get(key);
  const steps = old ? [...old.steps] : new Array<Step | undefined>(page.length).fill(undefined);
  const origins = new Map(old?.origins);
  for (const node of page.frame?.nodes ?? []) origins.set(node.id, node.origins);
  for (const { position, removed, added, old: _old, new: _new, wires, ...step } of page.steps) {
    for (const node of added) origins.set(node.id, node.origins);
    const about = [...removed, ...added.map(({ id }) => id)];
    steps[position] = { ...step, origins: new Set(about.flatMap((id) => origins.get(id) ?? [])) };
  }
  return { ...film, parts: new Map(film.parts).set(key, { path: page.path, steps, origins }) };
}

/** Whether a graph means something else than it did; layout changes nothing. */
export const isOutdated = (of: GraphDocument | null, doc: GraphDocument | null): boolean =>
  doc === null ||
  of === null ||
  doc.nodes !== of.nodes ||
  doc.edges !== of.edges ||
  doc.functions !== of.functions ||
  doc.training?.function !== of.training?.function;

export const isFiltered = ({ phase, words }: Rewrites): boolean =>
  phase !== null || words.trim() !== "";

function matcher({ phase, words }: Rewrites): (step: Step) => boolean {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return (step) => {
    if (phase !== null && step.phase !== phase) return false;
    if (wanted.length === 0) return true;
    const { rule, why, before, after } = step;
    const text = `${rule} ${lawWords(rule)} ${why} ${before} ${after}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
}

let known: { of: Rewrites; rows: readonly Row[] } | null = null;

/** The steps to be listed and played, in order; with a filter, those that have come and match. */
export function rowsOf(rewrites: Rewrites): readonly Row[] {
  const same =
    known?.of.film === rewrites.film &&
    known.of.unfolded === rewrites.unfolded &&
    known.of.phase === rewrites.phase &&
    known.of.words === rewrites.words;
  if (known && same) return known.rows;
  const rows: Row[] = [];
  const filtered = isFiltered(rewrites);
  const matches = matcher(rewrites);
  const list = (key: string): void => {
    const part = rewrites.film?.parts.get(key);
    part?.steps.forEach((step, position) => {
      const path = [...part.path, position];
      const row = { key: keyOf(path), part: key, position, depth: part.path.length };
      if (!filtered || (step && matches(step))) rows.push(row);
      if (rewrites.unfolded.has(row.key)) list(row.key);
    });
  };
  list("");
  known = { of: rewrites, rows };
  return rows;
}

export const stepAt = (film: Film | null, { part, position }: Row): Step | undefined =>
  film?.parts.get(part)?.steps[position];

/** The place of the chosen step in the list; -1 before the first one. */
export const chosenRow = (rewrites: Rewrites): number =>
  rewrites.chosen === null ? -1 : rowsOf(rewrites).findIndex(({ key }) => key === rewrites.chosen);

/** The chosen step, once its page has come. */
export function chosenStep({ film, chosen }: Rewrites): Step | undefined {
  if (chosen === null) return undefined;
  const cut = chosen.lastIndexOf("/");
  const part = cut < 0 ? "" : chosen.slice(0, cut);
  return film?.parts.get(part)?.steps[Number(chosen.slice(cut + 1))];
}

/** What to ask for next, so that these rows can be shown, or so that a filter can be right. */
export function gapIn(rewrites: Rewrites, from: number, to: number): Gap | null {
  const { film, unfolded } = rewrites;
  if (!film) return null;
  for (const key of unfolded) {
    if (film.parts.has(key)) continue;
    return { path: key.split("/").map(Number), start: 0, frame: true };
  }
  if (isFiltered(rewrites)) {
    for (const [key, part] of film.parts) {
      const at = part.steps.indexOf(undefined);
      if (at >= 0 && (key === "" || unfolded.has(key))) return gapAt(part, at);
    }
    return null;
  }
  const row = rowsOf(rewrites)
    .slice(Math.max(0, from), to)
    .find((one) => !stepAt(film, one));
  const part = row && film.parts.get(row.part);
  return part ? gapAt(part, row.position) : null;
}

/** The gap around a position, from where a page begins or from what is there already. */
function gapAt({ path, steps }: Part, position: number): Gap {
  let start = position;
  while (start % PAGE > 0 && !steps[start - 1]) start--;
  return { path, start, frame: start === 0 || !steps[start - 1] };
}

/** How many steps of the listed parts have come, and how many there are. */
export function progressOf({ film, unfolded }: Rewrites): [come: number, of: number] {
  let [come, all] = [0, 0];
  for (const [key, part] of film?.parts ?? []) {
    if (key !== "" && !unfolded.has(key)) continue;
    all += part.steps.length;
    for (const step of part.steps) if (step) come++;
  }
  return [come, all];
}

const FILM_MS = 20_000;
const SLOWEST_MS = 450;
const FASTEST_MS = 40;

/** How fast a film of so many rows is played: a long one takes no longer than FILM_MS. */
export function paceOf(rows: number): { ms: number; rows: number } {
  const ms = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, FILM_MS / Math.max(1, rows)));
  return { ms, rows: Math.max(1, Math.ceil((rows * ms) / FILM_MS)) };
}
