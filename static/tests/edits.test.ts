import { describe, expect, it } from "vitest";
import { fragmentOf, paste, readFragment } from "../src/store/clipboard";
import { addNode, connect, moveNodes, removeParts, rename, rewire } from "../src/store/edits";
import { apply } from "../src/store/patch";
import { blended, card, input } from "./graphs";

describe("adding a node", () => {
  it("gives a named one a free name, a place, and a part in the only function", () => {
    const doc = blended();
    const { id, patches } = addNode(doc, input, [10.4, 20.6]);
    const after = apply(doc, patches).doc;
    expect(after.nodes[id]).toMatchObject({ kind: "input", name: "x2", params: input.preset });
    expect(after.layout?.[id]).toEqual([10, 21]);
    expect(after.functions?.main?.inputs).toEqual(["x", "y", id]);
  });

  it("gives an op no name", () => {
    const doc = blended();
    const { id, patches } = addNode(doc, card(), [0, 0]);
    expect(apply(doc, patches).doc.nodes[id]).toEqual({ kind: "op", op: "blend", params: {} });
  });
});

describe("removing", () => {
  it("takes the wires, the place and every mention along", () => {
    const after = apply(blended(), removeParts(blended(), ["result"], [])).doc;
    expect(after.edges).toHaveLength(2);
    expect(after.layout).not.toHaveProperty("result");
    expect(after.functions?.main?.outputs).toEqual([]);
    expect(after.training).toBeUndefined();
  });

  it("cuts single wires", () => {
    const after = apply(blended(), removeParts(blended(), [], ["mix:a"])).doc;
    expect(after.edges.map((edge) => edge.to.join(":"))).toEqual(["mix:b", "result:value"]);
  });
});

describe("wiring", () => {
  it("lets an older wire into the same port give way", () => {
    const after = apply(blended(), connect(blended(), ["y", "out"], ["mix", "a"])).doc;
    expect(after.edges.filter((edge) => edge.to[1] === "a")).toEqual([
      { from: ["y", "out"], to: ["mix", "a"] },
    ]);
  });

  it("moves an end in one step", () => {
    const doc = blended();
    const [first] = doc.edges;
    if (!first) throw new Error("no wire");
    const after = apply(doc, rewire(doc, first, ["x", "out"], ["result", "value"])).doc;
    expect(after.edges.map((edge) => edge.to.join(":"))).toEqual(["mix:b", "result:value"]);
  });
});

describe("moving and naming", () => {
  it("says nothing of nodes that did not move", () => {
    const patches = moveNodes(
      blended(),
      new Map([
        ["x", [0, 0]],
        ["y", [5.2, 100]],
      ]),
    );
    expect(patches).toEqual([{ path: ["layout", "y"], value: [5, 100] }]);
  });

  it("keeps names unique and needed names present", () => {
    expect(rename(blended(), "y", "x", true)[0]?.value).toBe("x2");
    expect(rename(blended(), "y", "  ", true)).toEqual([]);
  });
});

describe("the clipboard", () => {
  it("brings a piece back with new ids, free names and the wires inside it", () => {
    const doc = blended();
    const text = JSON.stringify(fragmentOf(doc, ["x", "mix"]));
    const fragment = readFragment(text);
    if (!fragment) throw new Error("unreadable");
    const { ids, patches } = paste(doc, fragment, [100, 100]);
    const after = apply(doc, patches).doc;
    expect(ids).toHaveLength(2);
    expect(ids.some((id) => id in doc.nodes)).toBe(false);
    const [source = "", target = ""] = ids;
    expect(after.nodes[source]?.name).toBe("x2");
    expect(after.edges.at(-1)).toEqual({ from: [source, "out"], to: [target, "a"] });
    expect(after.edges).toHaveLength(4);
  });

  it("takes a whole graph, and no other text", () => {
    expect(readFragment(JSON.stringify(blended()))?.edges).toHaveLength(3);
    expect(readFragment("hello")).toBeNull();
    expect(readFragment('{"nodes": {}}')).toBeNull();
  });
});
