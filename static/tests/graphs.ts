// Small graphs and cards that the tests share.

import type { GraphDocument, GraphNode } from "../src/store/document";
import type { Card, Palette } from "../src/store/palette";

export function card(change: Partial<Card> = {}): Card {
  return {
    id: "blend",
    kind: "op",
    op: "blend",
    label: "blend",
    symbol: "⊕",
    category: "Mixing",
    doc: "Mixes two tensors.",
    signature: "blend(a, b)",
    tex: null,
    aliases: ["mix"],
    inputs: [
      { name: "a", doc: "", variadic: false, optional: false },
      { name: "b", doc: "", variadic: false, optional: false },
    ],
    outputs: [{ name: "out", doc: "" }],
    params: [],
    preset: {},
    named: false,
    no_gradient: null,
    ...change,
  };
}

export const many = card({
  id: "pile",
  op: "pile",
  label: "pile",
  symbol: "≡",
  inputs: [{ name: "items", doc: "", variadic: true, optional: false }],
});

export const input = card({
  id: "input",
  kind: "input",
  op: null,
  label: "input",
  symbol: "x",
  category: "Variables",
  aliases: [],
  inputs: [],
  preset: { dtype: "float64", shape: [], value: 0 },
  named: true,
});

export const palette: Palette = {
  categories: ["Variables", "Mixing"],
  cards: [input, card(), many],
  dtypes: ["float64"],
  max_rank: 8,
};

const node = (change: Partial<GraphNode>): GraphNode => ({ kind: "op", op: "blend", ...change });

/** x and y into a blend, the blend into an output. */
export function blended(): GraphDocument {
  return {
    format: "wiregrad",
    version: 1,
    name: "blended",
    title: "Blended",
    nodes: {
      x: { kind: "input", name: "x", params: { dtype: "float64", shape: [], value: 1 } },
      y: { kind: "input", name: "y", params: { dtype: "float64", shape: [], value: 2 } },
      mix: node({}),
      result: { kind: "output", name: "result" },
    },
    edges: [
      { from: ["x", "out"], to: ["mix", "a"] },
      { from: ["y", "out"], to: ["mix", "b"] },
      { from: ["mix", "out"], to: ["result", "value"] },
    ],
    functions: { main: { inputs: ["x", "y"], outputs: ["result"], updates: [] } },
    training: { function: "main", cost: "result", steps: 10, seed: 0 },
    layout: { x: [0, 0], y: [0, 100], mix: [200, 50], result: [400, 50] },
  };
}
