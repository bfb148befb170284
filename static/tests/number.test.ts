import { describe, expect, it } from "vitest";
import { parseData, shapeText, showData, showNumber, showShort } from "../src/store/number";

const matrix = { rank: 2, dtype: "float64" };
const vector = { rank: 1, dtype: "float64" };
const scalar = { rank: 0, dtype: "float64" };
const any = { rank: null, dtype: "float64" };

describe("showing numbers", () => {
  it.each([
    [0, "0"],
    [14, "14"],
    [0.1 + 0.2, "0.3"],
    [1 / 3, "0.333333"],
    [1e-9, "1e-9"],
    [123456789.5, "1.235e+8"],
    ["NaN", "NaN"],
    ["-Infinity", "-∞"],
    [true, "true"],
    [{ re: 1, im: -2 }, "1−2i"],
  ])("%j as %s", (value, text) => expect(showNumber(value)).toBe(text));

  it("has a shorter form for cells", () => {
    expect(showShort(0.123456)).toBe("0.123");
    expect(showShort(-0.0123456)).toBe("-0.012");
    expect(showShort({ re: 0.123456, im: -1 / 3 })).toBe("0.123−0.333i");
  });
  it("writes shapes as Python does", () => {
    expect([shapeText([]), shapeText([4]), shapeText([4, null])]).toEqual([
      "scalar",
      "(4,)",
      "(4, ?)",
    ]);
  });
});

describe("reading what was typed", () => {
  it.each([
    [
      "[[0,0],[0,1]]",
      matrix,
      [
        [0, 0],
        [0, 1],
      ],
    ],
    [
      "0 0\n0 1",
      matrix,
      [
        [0, 0],
        [0, 1],
      ],
    ],
    [
      "0, 0; 0, 1",
      matrix,
      [
        [0, 0],
        [0, 1],
      ],
    ],
    [
      "[[0 0], [0 1]]",
      matrix,
      [
        [0, 0],
        [0, 1],
      ],
    ],
    ["[1, 2, ]", vector, [1, 2]],
    ["1 2 3", vector, [1, 2, 3]],
    ["5", vector, [5]],
    ["1 2", matrix, [[1, 2]]],
    ["-1.5e-3", scalar, -0.0015],
    ["1 2", any, [1, 2]],
    ["7", any, 7],
    [
      "[[[1, 2] [3, 4]]]",
      any,
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ],
    ["1+2i", { rank: 0, dtype: "complex64" }, { re: 1, im: 2 }],
    [
      "-1.5e-3−i 2j 3",
      { rank: 1, dtype: "complex128" },
      [{ re: -0.0015, im: -1 }, { re: 0, im: 2 }, 3],
    ],
    ["true false", { rank: 1, dtype: "bool" }, [true, false]],
  ])("%j", (text, rules, data) => expect(parseData(text, rules)).toEqual({ ok: true, data }));

  it.each([
    ["", scalar],
    ["one", scalar],
    ["[[1], [2, 3]]", matrix],
    ["1 2\n3", matrix],
    ["[1, [2]]", any],
    ["1 2", scalar],
    ["1.5", { rank: 0, dtype: "int32" }],
    ["[1, 2", vector],
    ["[1] 2]", vector],
    ["i", scalar],
    ["1+", { rank: 0, dtype: "complex64" }],
    ["nan", scalar],
  ])("refuses %j with a sentence", (text, rules) => {
    const parsed = parseData(text, rules);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.message).toMatch(/\.$/);
  });

  it.each([
    [3],
    [[1, 2]],
    [
      [
        [0, 10],
        [200, 3],
      ],
    ],
    [[[[1]]]],
    [[[[1, 2]], [[3, 4]]]],
    [[]],
  ])("reads what it shows: %j", (data) => {
    expect(parseData(showData(data), any)).toEqual({ ok: true, data });
  });

  it("reads complex numbers as it shows them", () => {
    const data = [
      [
        { re: 1, im: -2 },
        { re: 0, im: 1 },
      ],
      [{ re: 1e-9, im: 2.5e10 }, 3],
    ];
    const rules = { rank: 2, dtype: "complex128" };
    expect(parseData(showData(data), rules)).toEqual({ ok: true, data });
  });
});
