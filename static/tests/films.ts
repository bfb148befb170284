// Films that the tests share: of steps that each put one node in the place of another.

import type { FilmOpenReply, FilmPage, FilmStep } from "../src/protocol";

const node = (id: number, ...origins: string[]) => ({
  id,
  op: "blend",
  params: {},
  inputs: [],
  types: [],
  names: [],
  origins,
  cost: 1,
});

/** A step that puts a new node, with the number of the step, in the place of the one before it. */
export const step = (position: number, change: Partial<FilmStep> = {}): FilmStep => ({
  position,
  phase: "canonicalize",
  rule: "add_zero",
  why: "Adding nought changes nothing.",
  tags: [],
  before: `x + ${position}`,
  after: "x",
  before_tex: "x + 0",
  after_tex: "x",
  old: { leaf: 0 },
  new: { leaf: 0 },
  removed: [position - 1],
  added: [node(position, "mix")],
  wires: [],
  nodes_before: 2,
  nodes_after: 1,
  cost_before: 20,
  cost_after: 10,
  seconds: 0.001,
  inside: 0,
  ...change,
});

export const page = (
  length: number,
  start: number,
  count: number,
  change: Partial<FilmPage> = {},
) => ({
  format: "wiregrad-film",
  version: 1,
  path: [],
  length,
  total: length,
  start,
  next: null,
  frame: { nodes: [node(start - 1, "x")], outputs: [] },
  steps: Array.from({ length: count }, (_, at) => step(start + at)),
  leaves: [],
  warnings: [],
  ...change,
});

export const reply = (first: FilmPage): FilmOpenReply => ({
  film_id: "f1",
  revision: 1,
  function: "main",
  nodes_before: 3,
  nodes_after: 1,
  cost_before: 30,
  cost_after: 10,
  laws: [
    {
      phase: "canonicalize",
      rule: "add_zero",
      why: "Adding nought changes nothing.",
      tags: [],
      steps: 2,
      nodes: -2,
      cost: -20,
      seconds: 0.002,
    },
  ],
  page: first,
});
