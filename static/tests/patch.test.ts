import { describe, expect, it } from "vitest";
import { append, apply, Edit } from "../src/store/patch";
import { blended } from "./graphs";

describe("a patch", () => {
  it("sets a value and leaves everything else as it was", () => {
    const before = blended();
    const { doc } = apply(before, [{ path: ["nodes", "x", "params", "value"], value: 7 }]);
    expect(doc.nodes.x?.params?.value).toBe(7);
    expect(before.nodes.x?.params?.value).toBe(1);
    expect(doc.nodes.y).toBe(before.nodes.y);
  });

  it("without a value removes", () => {
    const { doc } = apply(blended(), [{ path: ["nodes", "x"] }]);
    expect(Object.keys(doc.nodes)).toEqual(["y", "mix", "result"]);
  });

  it("is undone by its inverse, in whatever order paths overlap", () => {
    const before = blended();
    const { doc, inverse } = apply(before, [
      { path: ["nodes", "new"], value: { kind: "constant", params: { value: 1 } } },
      { path: ["nodes", "new", "params", "value"], value: 2 },
      { path: ["title"], value: "Other" },
      { path: ["layout", "x"] },
    ]);
    expect(apply(doc, inverse).doc).toEqual(before);
  });

  it("refuses to change what is not there", () => {
    expect(() => apply(blended(), [{ path: ["nodes", "none", "name"], value: "z" }])).toThrow(
      "nothing at nodes/none/name",
    );
  });
});

describe("a queue of patches", () => {
  it("keeps only the last of what overwrites each other", () => {
    const path = ["nodes", "x", "params", "value"];
    const queue = append(
      [
        { path, value: 1 },
        { path: ["title"], value: "T" },
      ],
      [{ path, value: 2 }],
    );
    expect(queue).toEqual([
      { path: ["title"], value: "T" },
      { path, value: 2 },
    ]);
  });

  it("drops changes inside what is removed afterwards", () => {
    const queue = append(
      [{ path: ["nodes", "x", "name"], value: "z" }],
      [{ path: ["nodes", "x"] }],
    );
    expect(queue).toEqual([{ path: ["nodes", "x"] }]);
  });
});

describe("an edit", () => {
  it("makes the parents that are missing", () => {
    const { layout: _, ...bare } = blended();
    const edit = new Edit(bare).set(["layout", "x"], [1, 2]).set(["layout", "y"], [3, 4]);
    expect(edit.patches).toEqual([
      { path: ["layout"], value: { x: [1, 2] } },
      { path: ["layout", "y"], value: [3, 4] },
    ]);
  });
});
