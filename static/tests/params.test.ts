import { describe, expect, it } from "vitest";
import type { CardParam } from "../src/store/palette";
import {
  axesOf,
  notch,
  rangeText,
  readParam,
  settingsOf,
  showParam,
  tellParam,
  toggleAxis,
} from "../src/store/params";
import { card } from "./graphs";

const param = (type: string, change: Partial<CardParam> = {}): CardParam => ({
  name: type,
  type,
  default: null,
  doc: "",
  choices: null,
  min: null,
  max: null,
  ...change,
});

describe("reading a parameter", () => {
  it.each([
    ["int", "-3", -3],
    ["int", "", null],
    ["float", "1e-3", 0.001],
    ["axis", "", null],
    ["axis", "1", 1],
    ["axis", "(0, -1)", [0, -1]],
    ["ints", "2 3", [2, 3]],
    ["ints", "2x3", [2, 3]],
    ["ints", "()", []],
    ["ints", "", null],
    ["shape", "?, 2, none", [null, 2, null]],
    ["index", "0, 1:3", "0, 1:3"],
    ["string", "text", "text"],
  ])("%s %j", (type, text, value) => expect(readParam(param(type), text)).toEqual(value));

  it.each([
    ["int", "1.5", "whole"],
    ["float", "much", "no number"],
    ["ints", "1, 2.5", "whole"],
    ["axis", "x y", "no number"],
  ])("%s %j is refused", (type, text, reason) => {
    expect(() => readParam(param(type), text)).toThrow(reason);
  });

  it("keeps to the bounds, each number of a list too", () => {
    expect(() => readParam(param("int", { min: 0 }), "-1")).toThrow("At least 0.");
    expect(() => readParam(param("float", { max: 1 }), "2")).toThrow("At most 1.");
    expect(() => readParam(param("ints", { min: 1 }), "2, 0")).toThrow("At least 1.");
    expect(() => readParam(param("int", { default: 0 }), "")).toThrow("needed");
    expect(rangeText(param("int", { min: 0, max: 1 }))).toBe("0 to 1");
    expect(rangeText(param("int", { max: 1 }))).toBe("at most 1");
  });

  it.each([
    ["axis", [0, 2]],
    ["ints", []],
    ["shape", [null, 2]],
    ["float", 0.5],
  ])("reads what it shows: %s %j", (type, value) => {
    expect(readParam(param(type), showParam(value))).toEqual(value);
  });
});

describe("telling what a node is set to", () => {
  const params = [
    param("axis", { name: "axis" }),
    param("bool", { name: "keepdims", default: false }),
    param("bool", { name: "flip", default: true }),
    param("ints", { name: "size", default: [] }),
    param("index", { name: "index", default: "" }),
    param("float", { name: "a", default: 1 }),
  ];
  const settings = (given: Record<string, unknown>) =>
    settingsOf(card({ params }), { kind: "op", op: "blend", params: given });

  it("leaves out what is as usual, and what ports show", () => {
    expect(settings({ axis: null, keepdims: false, size: [], a: 2 })).toEqual([]);
    expect(settings({})).toEqual([]);
  });

  it("is brief", () => {
    expect(settings({ axis: 1, keepdims: true, flip: false, size: [2], index: "0, 1:3" })).toEqual([
      "axis=1",
      "keepdims",
      "flip=false",
      "size=(2,)",
      "[0, 1:3]",
    ]);
    expect(tellParam(param("axis"), null)).toBe("all axes");
  });
});

describe("choosing axes", () => {
  it("counts from the front and has none for all", () => {
    expect(axesOf(-1, 3)).toEqual([2]);
    expect(toggleAxis(null, 1, 3)).toBe(1);
    expect(toggleAxis(1, 0, 3)).toEqual([0, 1]);
    expect(toggleAxis([0, -2], 1, 3)).toBe(0);
    expect(toggleAxis(0, 0, 3)).toBeNull();
  });
});

it("arrow keys go by ones, or by tenths of the size", () => {
  expect(notch(3, 1, true, false)).toBe(4);
  expect(notch(3, -1, true, true)).toBe(-7);
  expect(notch(0.05, 1, false, false)).toBe(0.051);
  expect(notch(Number.NaN, 1, false, false)).toBeNull();
});
