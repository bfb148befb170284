// The film of rewrites: asked for when it is looked at, fetched page by page, played.

import { type AppState, app, sentence } from "../store/app";
import {
  chosenRow,
  type FilmFailure,
  filmOf,
  gapIn,
  isOutdated,
  PAGE,
  paceOf,
  type Rewrites,
  rowsOf,
  stepAt,
  type Wish,
  withPage,
} from "../store/film";
import { Refusal, request, Unanswered } from "../transport/socket";
import { settled } from "./sync";

const change = (rewrites: Partial<Rewrites>) =>
  app.setState((state) => ({ rewrites: { ...state.rewrites, ...rewrites } }));

const wishOf = ({ opened, rewrites, doc }: AppState): Wish => ({
  opened,
  function: rewrites.function,
  strict: doc?.training?.strict ?? false,
});

const sameWish = (a: Wish | null, b: Wish) =>
  a?.opened === b.opened && a.function === b.function && a.strict === b.strict;

function failureOf(failure: unknown): FilmFailure {
  const of = app.getState().doc;
  if (failure instanceof Refusal)
    return { ...sentence(failure.error), node: failure.error.node, lost: false, of };
  if (!(failure instanceof Unanswered)) throw failure;
  return {
    message: "The server cannot be reached.",
    hint: "The film comes when it is back.",
    node: null,
    lost: true,
    of,
  };
}

/**
 * From now on there is a film whenever it is looked at: of this graph, this function, this
 * strictness; and of a graph that had none as soon as it has one.
 */
export function watchRewrites(): void {
  app.subscribe((state, before) => {
    const { panels, doc, connection, rewrites } = state;
    if (!panels.rewrites) {
      if (rewrites.playing) change({ playing: false });
      return;
    }
    if (!doc || connection !== "online") return;
    const { film, failure, asking } = rewrites;
    const back = before.connection !== "online";
    const mended = !film && !asking && failure && !failure.lost && isOutdated(failure.of, doc);
    if (!sameWish(rewrites.asked, wishOf(state)) || (back && failure?.lost) || mended) {
      void askFilm();
    } else if (back) void fetchGaps();
  });
}

/**
 * Ask for the film of the graph as it is now. What was there stays until another one comes; `again`
 * is for the same one, which the server had closed: the place in it stays, too.
 */
export async function askFilm(again = false): Promise<void> {
  const asked = wishOf(app.getState());
  change({ asked, asking: true, failure: null, playing: false });
  const current = () => app.getState().rewrites.asked === asked;
  try {
    await settled();
    const { graphId, doc } = app.getState();
    if (!graphId || !doc || !current()) return;
    const reply = await request("film_open", {
      graph_id: graphId,
      function: asked.function,
      exclude: [],
      include: [],
    });
    if (!current()) return;
    const { film } = app.getState().rewrites;
    if (film?.id === reply.film_id) change({ film: { ...film, of: doc } });
    else if (again) change({ film: filmOf(reply, doc) });
    else change({ film: filmOf(reply, doc), chosen: null, unfolded: new Set() });
  } catch (failure) {
    if (current()) change({ failure: failureOf(failure) });
  } finally {
    if (current()) change({ asking: false });
  }
  void fetchGaps();
}

let inView = { from: 0, to: 0 };
let fetching = false;

/** Tell which rows are to be seen; what is missing of them is fetched. */
export function lookAt(from: number, to: number): void {
  inView = { from, to };
  void fetchGaps();
}

/** What is missing of the rows in view, and of those that are played next. */
function nextGap({ rewrites }: AppState) {
  const gap = gapIn(rewrites, inView.from, inView.to);
  if (gap || !rewrites.playing) return gap;
  const here = chosenRow(rewrites);
  return gapIn(rewrites, here, here + PAGE);
}

/** Fetch page after page until nothing is missing; one at a time. */
async function fetchGaps(): Promise<void> {
  if (fetching) return;
  fetching = true;
  try {
    for (;;) {
      const state = app.getState();
      const { film } = state.rewrites;
      const gap = state.connection === "online" ? nextGap(state) : null;
      if (!film || !gap || state.rewrites.failure?.lost) return;
      const { page } = await request("film_page", {
        film_id: film.id,
        path: [...gap.path],
        start: gap.start,
        count: PAGE,
        frame: gap.frame,
      });
      const now = app.getState().rewrites.film;
      if (now?.id === film.id) change({ film: withPage(now, page) });
    }
  } catch (failure) {
    const { rewrites, doc } = app.getState();
    const closed = failure instanceof Refusal && failure.error.kind === "not-found";
    if (closed && rewrites.film && !isOutdated(rewrites.film.of, doc)) void askFilm(true);
    else change({ failure: failureOf(failure) });
  } finally {
    fetching = false;
  }
}

export function choose(chosen: string | null): void {
  change({ chosen, playing: false });
}

/** The step so many rows on; the one before the first is the graph as it was written. */
export function goBy(rows: number): void {
  const { rewrites } = app.getState();
  goToRow(chosenRow(rewrites) + rows);
}

export function goToRow(row: number): void {
  const list = rowsOf(app.getState().rewrites);
  choose(list[Math.min(row, list.length - 1)]?.key ?? null);
}

/** Show the steps inside of a step, or hide them. */
export function unfold(key: string): void {
  const unfolded = new Set(app.getState().rewrites.unfolded);
  if (!unfolded.delete(key)) unfolded.add(key);
  change({ unfolded });
  void fetchGaps();
}

/** List and play only steps of a phase, or with these words in their law, reason or algebra. */
export function filterSteps(filter: Partial<Pick<Rewrites, "phase" | "words">>): void {
  change({ ...filter, playing: false });
  void fetchGaps();
}

export function filmFunction(name: string): void {
  change({ function: name });
}

/** Play on from the chosen step, or from the start when at the end; or pause. */
export function togglePlay(): void {
  const { rewrites } = app.getState();
  if (rewrites.playing) {
    change({ playing: false });
    return;
  }
  const atEnd = chosenRow(rewrites) === rowsOf(rewrites).length - 1;
  change({ playing: true, ...(atEnd ? { chosen: null } : {}) });
  clearTimeout(timer);
  play();
}

let timer: ReturnType<typeof setTimeout> | undefined;

function play(): void {
  const { rewrites } = app.getState();
  if (!rewrites.playing) return;
  const rows = rowsOf(rewrites);
  const pace = paceOf(rows.length);
  const next = Math.min(chosenRow(rewrites) + pace.rows, rows.length - 1);
  const row = rows[next];
  // A step that is still on its way is waited for.
  if (row && stepAt(rewrites.film, row)) {
    change({ chosen: row.key, playing: next < rows.length - 1 });
  }
  void fetchGaps();
  timer = setTimeout(play, pace.ms);
}
