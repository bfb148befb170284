import { describe, expect, it } from "vitest";
import { groupRows, type Row, searchRows } from "../src/store/rows";
import { card, input, many } from "./graphs";

const brief = (rows: Row[]) =>
  rows.map((row) =>
    row.type === "card"
      ? row.hit.card.id
      : row.type === "fold"
        ? `${row.open ? "-" : "+"} ${row.label} ${row.count}`
        : row.text,
  );

const typed = (id: string, dtype: string) =>
  ({ ...input, id, label: id, preset: { ...input.preset, dtype } }) as typeof input;

const groups = ["Variables", "Mixing", "Third", "Fourth"];
const cards = [
  input,
  typed("double", "float64"),
  typed("single", "float32"),
  typed("whole", "int32"),
  card(),
  many,
  card({ id: "later", label: "later", op: "later", category: "Fourth" }),
];

describe("the groups of a palette", () => {
  it("come in the learner's order, the first ones open, with rare types out of the way", () => {
    expect(brief(groupRows(cards, groups, {}))).toEqual([
      "- Variables 4",
      "input",
      "double",
      "+ more types 2",
      "- Mixing 2",
      "blend",
      "pile",
      "+ Fourth 1",
    ]);
  });

  it("are open or not as a person left them", () => {
    const folds = { Variables: false, Fourth: true };
    expect(brief(groupRows(cards, groups, folds))).toEqual([
      "+ Variables 4",
      "- Mixing 2",
      "blend",
      "pile",
      "- Fourth 1",
      "later",
    ]);
  });

  it("put aside what has no port for the wire", () => {
    const fits = { blend: "a", pile: null, later: "b" };
    expect(brief(groupRows(cards, groups, { Fourth: true }, fits))).toEqual([
      "- Mixing 1",
      "blend",
      "- Fourth 1",
      "later",
      "+ Without a port for it 5",
    ]);
  });
});

describe("what a search finds", () => {
  it("is cut where nobody reads on", () => {
    const crowd = Array.from({ length: 70 }, (_, at) => card({ id: `one${at}`, aliases: [] }));
    const rows = searchRows(crowd, "one");
    expect(rows).toHaveLength(61);
    expect(brief(rows).at(-1)).toBe("10 more; type on to narrow them down.");
  });

  it("or is not there, politely", () => {
    expect(brief(searchRows(cards, "blned"))).toEqual([
      "Nothing is called that. Perhaps:",
      "blend",
    ]);
    expect(brief(searchRows(cards, "flux capacitor"))).toEqual(["Nothing is called that."]);
  });
});
