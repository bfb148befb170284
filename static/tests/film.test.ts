import { describe, expect, it } from "vitest";
import type { FilmPage } from "../src/protocol";
import { app, commit, litNodes, openDocument } from "../src/store/app";
import type { GraphDocument } from "../src/store/document";
import { moveNodes, setParam } from "../src/store/edits";
import {
  chosenRow,
  chosenStep,
  type Film,
  filmOf,
  gapIn,
  isOutdated,
  lawWords,
  NO_REWRITES,
  paceOf,
  progressOf,
  type Rewrites,
  rowsOf,
  stepAt,
  withPage,
} from "../src/store/film";
import { page, reply, step } from "./films";
import { blended } from "./graphs";

const doc = blended();
const filmed = (first: FilmPage, of: GraphDocument = doc): Film => filmOf(reply(first), of);
const showing = (film: Film, change: Partial<Rewrites> = {}): Rewrites => ({
  ...NO_REWRITES,
  film,
  ...change,
});
const keys = (rewrites: Rewrites) => rowsOf(rewrites).map(({ key }) => key);

describe("pages of a film", () => {
  it("tell which canvas nodes a step is about", () => {
    const film = filmed(page(2, 0, 2));
    const [first, second] = rowsOf(showing(film)).map((row) => stepAt(film, row));
    expect([...(first?.origins ?? [])]).toEqual(["x", "mix"]);
    expect([...(second?.origins ?? [])]).toEqual(["mix"]);
  });

  it("leave gaps that are asked for from where pages begin", () => {
    const film = filmed(page(1000, 0, 50));
    expect(gapIn(showing(film), 10, 40)).toBeNull();
    expect(gapIn(showing(film), 40, 60)).toEqual({ path: [], start: 50, frame: false });
    expect(gapIn(showing(film), 777, 790)).toEqual({ path: [], start: 700, frame: true });
  });

  it("fill them, however short they are", () => {
    let film = filmed(page(1000, 0, 50));
    const starts: number[] = [];
    for (;;) {
      const gap = gapIn(showing(film), 740, 745);
      if (!gap) break;
      starts.push(gap.start);
      film = withPage(film, page(1000, gap.start, 20));
    }
    expect(starts).toEqual([700, 720, 740]);
    expect(progressOf(showing(film))).toEqual([110, 1000]);
  });

  it("are all asked for when there is a filter, as any may hold a step of it", () => {
    const film = filmed(page(300, 0, 50));
    expect(gapIn(showing(film, { words: "zero" }), 0, 1)?.start).toBe(50);
    const whole = withPage(film, page(300, 50, 250));
    expect(gapIn(showing(whole, { words: "zero" }), 0, 1)).toBeNull();
  });
});

describe("the list of steps", () => {
  const some = filmed(
    page(3, 0, 3, {
      steps: [
        step(0, { phase: "merge", rule: "merge_equal_nodes" }),
        step(1, { inside: 2 }),
        step(2, { before: "log(sigmoid(truth))" }),
      ],
    }),
  );

  it("has those of a phase", () => {
    expect(keys(showing(some, { phase: "merge" }))).toEqual(["0"]);
  });

  it.each([
    ["equal nodes", ["0"]],
    ["merge_equal", ["0"]],
    ["SIGMOID truth", ["2"]],
    ["nought", ["0", "1", "2"]],
    ["  ", ["0", "1", "2"]],
    ["nothing at all", []],
  ])("has those with the words %j", (words, found) => {
    expect(keys(showing(some, { words }))).toEqual(found);
  });

  it("shows what is inside of a step where that is unfolded", () => {
    const unfolded = new Set(["1"]);
    expect(gapIn(showing(some, { unfolded }), 0, 3)).toEqual({ path: [1], start: 0, frame: true });
    const inside = withPage(some, page(2, 0, 2, { path: [1] }));
    const open = showing(inside, { unfolded, chosen: "1/1" });
    expect(keys(open)).toEqual(["0", "1", "1/0", "1/1", "2"]);
    expect(rowsOf(open).map(({ depth }) => depth)).toEqual([0, 0, 1, 1, 0]);
    expect(chosenRow(open)).toBe(3);
    expect(chosenStep(open)?.before).toBe("x + 1");
    expect(keys(showing(inside))).toEqual(["0", "1", "2"]);
  });

  it("is empty for a graph that is as good as it can be", () => {
    expect(rowsOf(showing(filmed(page(0, 0, 0))))).toEqual([]);
    expect(gapIn(showing(filmed(page(0, 0, 0))), 0, 10)).toBeNull();
  });

  it("is before its first step until one is chosen", () => {
    expect(chosenRow(showing(some))).toBe(-1);
    expect(chosenStep(showing(some))).toBeUndefined();
  });
});

describe("a film of an older graph", () => {
  it("is one once the graph means something else, and not when cards are moved", () => {
    openDocument("g1", 1, doc);
    const of = app.getState().doc ?? doc;
    const film = filmed(page(1, 0, 1), of);
    commit("Move", moveNodes(of, new Map([["x", [5, 5]]])));
    expect(isOutdated(film.of, app.getState().doc)).toBe(false);
    commit("Set", setParam(of, "x", "value", 7));
    expect(isOutdated(film.of, app.getState().doc)).toBe(true);
  });
});

it("the cards that the chosen step is about are lit while the film is open", () => {
  openDocument("g1", 1, doc);
  const panels = { ...app.getState().panels, rewrites: true };
  const rewrites = showing(filmed(page(2, 0, 2)), { chosen: "1" });
  app.setState({ rewrites, panels });
  expect([...litNodes(app.getState())]).toEqual(["mix"]);
  app.setState({ panels: { ...panels, rewrites: false } });
  expect([...litNodes(app.getState())]).toEqual([]);
});

it("a long film is played in about the time of a middling one", () => {
  expect(paceOf(24)).toEqual({ ms: 450, rows: 1 });
  for (const rows of [100, 1000, 10_000, 100_000]) {
    const { ms, rows: hop } = paceOf(rows);
    expect((rows / hop) * ms).toBeGreaterThan(10_000);
    expect((rows / hop) * ms).toBeLessThanOrEqual(20_000);
  }
});

it("a law's name is read as words", () => {
  expect(lawWords("collect_equal_factors")).toBe("collect equal factors");
});
