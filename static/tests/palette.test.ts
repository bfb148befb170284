import { describe, expect, it } from "vitest";
import { cardOf, inPorts, outPorts } from "../src/store/palette";
import { blended, card, many, palette } from "./graphs";

describe("ports", () => {
  it("come from the card", () => {
    expect(inPorts(card(), blended(), "mix").map((port) => port.name)).toEqual(["a", "b"]);
  });

  it("of a variadic input show their wires and one spare slot", () => {
    const doc = blended();
    doc.nodes.heap = { kind: "op", op: "pile" };
    expect(inPorts(many, doc, "heap").map((port) => port.name)).toEqual(["items.0"]);
    doc.edges = [...doc.edges, { from: ["x", "out"], to: ["heap", "items.1"] }];
    expect(inPorts(many, doc, "heap").map((port) => [port.name, port.spare])).toEqual([
      ["items.0", false],
      ["items.1", false],
      ["items.2", true],
    ]);
  });

  it("of a node that nothing is known of are those that are wired", () => {
    expect(inPorts(undefined, blended(), "mix").map((port) => port.name)).toEqual(["a", "b"]);
    expect(outPorts(undefined, blended(), "mix").map((port) => port.name)).toEqual(["out"]);
  });
});

it("a hidden card is still the card of its nodes", () => {
  const hidden = card({ id: "old", op: "old", hidden: true });
  expect(cardOf({ ...palette, cards: [hidden] }, { kind: "op", op: "old" })).toBe(hidden);
});
