// When a film is asked for, and what becomes of it when the server has no answer or another one.

import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Requests } from "../src/protocol";
import { app, commit, openDocument, undo } from "../src/store/app";
import { setParam } from "../src/store/edits";
import { isOutdated, NO_REWRITES } from "../src/store/film";
import { Refusal, request, Unanswered } from "../src/transport/socket";
import { setStrict } from "../src/verbs/edit";
import { askFilm, filterSteps, goBy, lookAt, togglePlay, watchRewrites } from "../src/verbs/film";
import { togglePanel } from "../src/verbs/view";
import { page, reply } from "./films";
import { blended } from "./graphs";

vi.mock("../src/transport/socket", async (original) => ({
  ...(await original<typeof import("../src/transport/socket")>()),
  request: vi.fn(),
}));
vi.mock("../src/verbs/sync", () => ({ settled: () => Promise.resolve() }));

type Answers = { [Name in keyof Requests]?: (body: Requests[Name]["request"]) => unknown };

/** Let the server answer like this. */
function serve(answers: Answers): void {
  vi.mocked(request).mockImplementation(async (name, body) => {
    const answer = answers[name] as ((body: unknown) => unknown) | undefined;
    if (!answer) throw new Error(`Nobody expected ${name}.`);
    return answer(body) as never;
  });
}

const asked = (name: keyof Requests) =>
  vi.mocked(request).mock.calls.flatMap(([one, body]) => (one === name ? [body] : []));

const rest = () => new Promise((resolve) => setTimeout(resolve, 0));

const refusal = (kind: string, message: string) =>
  new Refusal({
    kind,
    message,
    node: "mix",
    port: null,
    expected: null,
    got: null,
    hint: "Wire it.",
    details: null,
  });

const shown = () => app.getState().rewrites;
let films = 0;
const anyFilm = (length = 3, come = length) => ({
  film_open: () => ({ ...reply(page(length, 0, come)), film_id: `f${++films}` }),
});

watchRewrites();

beforeEach(async () => {
  const { panels } = app.getState();
  app.setState({ panels: { ...panels, rewrites: false }, rewrites: NO_REWRITES });
  openDocument("g1", 1, blended());
  app.setState({ connection: "online" });
  serve(anyFilm());
  await rest();
  vi.mocked(request).mockClear();
});

describe("a film", () => {
  it("is asked for when it is looked at, and not before", async () => {
    expect(asked("film_open")).toEqual([]);
    togglePanel("rewrites");
    await rest();
    expect(asked("film_open")).toHaveLength(1);
    expect(shown().film?.total).toBe(3);
    togglePanel("rewrites");
    togglePanel("rewrites");
    await rest();
    expect(asked("film_open")).toHaveLength(1);
  });

  it("is another one for another strictness, when that is undone too", async () => {
    togglePanel("rewrites");
    await rest();
    setStrict(true);
    await rest();
    expect(app.getState().doc?.training).toMatchObject({ cost: "result", strict: true });
    undo();
    await rest();
    expect(app.getState().doc?.training).not.toHaveProperty("strict");
    expect(asked("film_open")).toHaveLength(3);
  });

  it("stays that of the older graph until it is asked for again", async () => {
    togglePanel("rewrites");
    await rest();
    const { doc } = app.getState();
    if (doc) commit("Set", setParam(doc, "x", "value", 7));
    await rest();
    const { film } = shown();
    expect(film && isOutdated(film.of, app.getState().doc)).toBe(true);
    await askFilm();
    expect(shown().film?.of).toBe(app.getState().doc);
  });

  it("is kept when the graph has none any more, with the reason", async () => {
    togglePanel("rewrites");
    await rest();
    const { film } = shown();
    serve({
      film_open: () => {
        throw refusal("program", "mix has nothing at a.");
      },
    });
    await askFilm();
    expect(shown()).toMatchObject({
      film,
      asking: false,
      failure: { message: "mix has nothing at a.", hint: "Wire it.", node: "mix", lost: false },
    });
  });

  it("comes by itself once a graph that had none is mended", async () => {
    serve({
      film_open: () => {
        throw refusal("program", "mix has nothing at a.");
      },
    });
    togglePanel("rewrites");
    await rest();
    expect(shown()).toMatchObject({ film: null, failure: { node: "mix" } });
    serve(anyFilm());
    const { doc } = app.getState();
    if (doc) commit("Set", setParam(doc, "x", "value", 7));
    await rest();
    expect(shown()).toMatchObject({ film: { total: 3 }, failure: null });
  });

  it("is asked for again when the server is back", async () => {
    serve({
      film_open: () => {
        throw new Unanswered();
      },
    });
    togglePanel("rewrites");
    await rest();
    expect(shown().failure?.lost).toBe(true);
    app.setState({ connection: "offline" });
    serve(anyFilm());
    app.setState({ connection: "online" });
    await rest();
    expect(shown()).toMatchObject({ failure: null, film: { total: 3 } });
  });

  it("of an answer that comes too late is not shown", async () => {
    let answer = (_: unknown) => {};
    serve({ film_open: () => new Promise((resolve) => (answer = resolve)) });
    togglePanel("rewrites");
    await rest();
    openDocument("g2", 1, blended());
    answer({ ...reply(page(9, 0, 9)), film_id: "late" });
    await rest();
    expect(shown().film).toBeNull();
  });
});

describe("pages", () => {
  it("come as one looks at them, and all of them for a filter", async () => {
    serve({
      ...anyFilm(450, 50),
      film_page: ({ start, count }) => ({
        page: page(450, start, Math.min(count, 450 - start)),
      }),
    });
    togglePanel("rewrites");
    await rest();
    lookAt(0, 12);
    await rest();
    expect(asked("film_page")).toEqual([]);
    lookAt(205, 215);
    await rest();
    expect(asked("film_page")).toMatchObject([{ path: [], start: 200, frame: true }]);
    filterSteps({ words: "zero" });
    await vi.waitFor(() =>
      expect(asked("film_page").map((body) => "start" in body && body.start)).toEqual([
        200, 50, 150, 300, 400,
      ]),
    );
  });

  it("of a film that the server closed are those of the same one, opened again", async () => {
    let open = false;
    serve({
      ...anyFilm(200, 50),
      film_page: ({ start, count }) => {
        if (open) return { page: page(200, start, count) };
        open = true;
        throw refusal("not-found", "This film is not open any more.");
      },
    });
    togglePanel("rewrites");
    await rest();
    const first = shown().film?.id;
    goBy(3);
    lookAt(150, 160);
    await vi.waitFor(() => expect(shown().film?.parts.get("")?.steps[155]).toBeDefined());
    expect(shown()).toMatchObject({ chosen: "2", failure: null });
    expect(shown().film?.id).not.toBe(first);
  });
});

it("a film is played to its end, and then from its start", async () => {
  vi.useFakeTimers();
  try {
    togglePanel("rewrites");
    await vi.advanceTimersByTimeAsync(0);
    togglePlay();
    expect(shown()).toMatchObject({ chosen: "0", playing: true });
    await vi.advanceTimersByTimeAsync(5000);
    expect(shown()).toMatchObject({ chosen: "2", playing: false });
    togglePlay();
    expect(shown().chosen).toBe("0");
    togglePanel("rewrites");
    expect(shown().playing).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

it("the training and the rewrites make room for one another", () => {
  const panels = () => app.getState().panels;
  togglePanel("rewrites");
  togglePanel("train");
  expect(panels()).toMatchObject({ train: true, rewrites: false });
  togglePanel("rewrites");
  togglePanel("rewrites");
  expect(panels()).toMatchObject({ train: true, rewrites: false });
});
