import { describe, expect, it } from "vitest";
import { layOut } from "../src/layout";
import type { GraphDocument, GraphEdge } from "../src/store/document";
import { blended } from "./graphs";

const size = { width: 150, height: 80 };

function chain(count: number, edges: GraphEdge[]): GraphDocument {
  const nodes = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`n${at}`, { kind: "op", op: "blend" }]),
  );
  return { ...blended(), nodes, edges };
}

describe("laying out", () => {
  it("puts every reader to the right of its source, and nothing on top of another", () => {
    const doc = blended();
    const places = layOut(doc, () => size);
    for (const { from, to } of doc.edges) {
      const [source, target] = [places.get(from[0]), places.get(to[0])];
      expect((source?.[0] ?? 0) + size.width).toBeLessThan(target?.[0] ?? 0);
    }
    const boxes = [...places.values()];
    boxes.forEach(([x, y], at) => {
      for (const [left, top] of boxes.slice(at + 1)) {
        expect(Math.abs(x - left) >= size.width || Math.abs(y - top) >= size.height).toBe(true);
      }
    });
  });

  it("takes loops, and graphs too deep for recursion", () => {
    const loop = chain(3, [
      { from: ["n0", "out"], to: ["n1", "a"] },
      { from: ["n1", "out"], to: ["n2", "a"] },
      { from: ["n2", "out"], to: ["n1", "b"] },
    ]);
    expect(layOut(loop, () => size).size).toBe(3);
    const deep = chain(
      10_000,
      Array.from(
        { length: 9_999 },
        (_, at): GraphEdge => ({
          from: [`n${at}`, "out"],
          to: [`n${at + 1}`, "a"],
        }),
      ),
    );
    expect(layOut(deep, () => size).size).toBe(10_000);
  });

  it("of an empty graph is empty", () => expect(layOut(chain(0, []), () => size).size).toBe(0));
});
