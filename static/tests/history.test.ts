import { beforeEach, describe, expect, it } from "vitest";
import { app, commit, openDocument, redo, takeReport, undo } from "../src/store/app";
import { setParam } from "../src/store/edits";
import { blended } from "./graphs";

const set = (value: number, merge: string | null = null) => {
  const { doc } = app.getState();
  if (doc) commit("Set", setParam(doc, "x", "value", value), merge);
};
const valueOfX = () => app.getState().doc?.nodes.x?.params?.value;

beforeEach(() => openDocument("g1", 1, blended()));

describe("history", () => {
  it("takes changes back and makes them again", () => {
    set(5);
    set(6);
    undo();
    expect(valueOfX()).toBe(5);
    undo();
    expect(app.getState().doc).toEqual(blended());
    redo();
    redo();
    expect(valueOfX()).toBe(6);
  });

  it("counts typing into one field as one step", () => {
    for (const value of [2, 20, 200]) set(value, "x/value");
    expect(app.getState().undo).toHaveLength(1);
    undo();
    expect(valueOfX()).toBe(1);
    redo();
    expect(valueOfX()).toBe(200);
  });

  it("forgets what was undone once something new is done", () => {
    set(5);
    undo();
    set(7);
    expect(app.getState().redo).toEqual([]);
  });

  it("puts every change, and its undoing, into the outbox", () => {
    set(5);
    undo();
    expect(app.getState().outbox).toEqual([{ path: ["nodes", "x", "params", "value"], value: 1 }]);
  });

  it("is empty for another document", () => {
    set(5);
    openDocument("g2", 1, blended());
    expect(app.getState().undo).toEqual([]);
    expect(app.getState().outbox).toEqual([]);
  });
});

it("problems of a report are listed, errors first", () => {
  const error = {
    kind: "shape",
    message: "No.",
    node: "mix",
    port: "a",
    expected: null,
    got: null,
    hint: null,
    details: null,
  };
  takeReport({
    nodes: {
      x: { types: {}, values: {}, error: null, warnings: ["Hm."] },
      mix: { types: {}, values: {}, error, warnings: [] },
    },
    functions: { main: { ready: false } },
    trainable: false,
    problem: "No.",
    milliseconds: 1,
  });
  expect(app.getState().summary.problems.map(({ node }) => node)).toEqual(["mix", "x"]);
});
