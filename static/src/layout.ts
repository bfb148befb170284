// Layers from left to right in time linear in the wires, for graphs that come without positions.

import type { GraphDocument, Point } from "./store/document";

export interface Size {
  width: number;
  height: number;
}

const COLUMN_GAP = 120;
const ROW_GAP = 32;
const SWEEPS = 6;

interface Graph {
  ids: string[];
  /** Neighbours to the left and to the right, by position in `ids`. */
  before: number[][];
  after: number[][];
}

function graphOf(doc: GraphDocument): Graph {
  const ids = Object.keys(doc.nodes);
  const position = new Map(ids.map((id, index) => [id, index]));
  const before: number[][] = ids.map(() => []);
  const after: number[][] = ids.map(() => []);
  for (const { from, to } of doc.edges) {
    const source = position.get(from[0]);
    const target = position.get(to[0]);
    if (source === undefined || target === undefined || source === target) continue;
    before[target]?.push(source);
    after[source]?.push(target);
  }
  return { ids, before, after };
}

/** Nodes so ordered that wires point forward; a loop is opened where the walk closes it. */
function topological({ ids, before, after }: Graph): number[] {
  const waiting = before.map((sources) => sources.length);
  const order: number[] = [];
  const placed = new Uint8Array(ids.length);
  const take = (index: number) => {
    placed[index] = 1;
    order.push(index);
  };
  ids.forEach((_, index) => {
    if (waiting[index] === 0) take(index);
  });
  let next = 0;
  let searched = 0;
  while (order.length < ids.length) {
    for (; next < order.length; next++) {
      for (const target of after[order[next] as number] ?? []) {
        waiting[target] = (waiting[target] ?? 0) - 1;
        if (waiting[target] === 0 && !placed[target]) take(target);
      }
    }
    while (searched < ids.length && placed[searched]) searched++;
    if (order.length < ids.length && searched < ids.length) take(searched);
  }
  return order;
}

/** Column of each node: as far left as its sources allow, and sources next to their first reader. */
function columnsOf(graph: Graph): number[] {
  const order = topological(graph);
  const rank = new Array<number>(order.length).fill(0);
  order.forEach((index, at) => {
    rank[index] = at;
  });
  const column = new Array<number>(order.length).fill(0);
  for (const index of order) {
    for (const target of graph.after[index] ?? []) {
      if ((rank[target] ?? 0) <= (rank[index] ?? 0)) continue;
      column[target] = Math.max(column[target] ?? 0, (column[index] ?? 0) + 1);
    }
  }
  for (const index of order.toReversed()) {
    if ((graph.before[index] ?? []).length > 0) continue;
    const readers = (graph.after[index] ?? []).map((target) => column[target] ?? 0);
    if (readers.length > 0) column[index] = Math.max(0, Math.min(...readers) - 1);
  }
  return column;
}

/** Order within the columns: each node near the mean of its neighbours, a few sweeps to and fro. */
function untangle(graph: Graph, columns: number[][]): void {
  const place = new Array<number>(graph.ids.length).fill(0);
  const number = (column: number[]) => {
    column.forEach((index, row) => {
      place[index] = row - column.length / 2;
    });
  };
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forward = sweep % 2 === 0;
    const neighbours = forward ? graph.before : graph.after;
    for (const column of forward ? columns : columns.toReversed()) {
      const weight = new Map(
        column.map((index) => {
          const near = neighbours[index] ?? [];
          const sum = near.reduce((total, other) => total + (place[other] ?? 0), 0);
          return [index, near.length > 0 ? sum / near.length : (place[index] ?? 0)];
        }),
      );
      column.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0));
      number(column);
    }
  }
}

/** Heights of a column's nodes: as near to their neighbours as the order and the gaps allow. */
function settle(column: number[], wanted: (index: number) => number, heights: number[]): number[] {
  const tops: number[] = [];
  let floor = Number.NEGATIVE_INFINITY;
  for (const index of column) {
    const height = heights[index] ?? 0;
    const top = Math.max(floor, wanted(index) - height / 2);
    tops.push(top);
    floor = top + height + ROW_GAP;
  }
  // What was pushed down by its upper neighbours moves back up by half of it, as one block.
  const push = column.map(
    (index, row) => (tops[row] ?? 0) + (heights[index] ?? 0) / 2 - wanted(index),
  );
  const mean = push.reduce((sum, one) => sum + one, 0) / Math.max(1, push.length);
  return tops.map((top) => top - mean);
}

/** A position for every node. */
export function layOut(doc: GraphDocument, sizeOf: (id: string) => Size): Map<string, Point> {
  const graph = graphOf(doc);
  const columns: number[][] = [];
  columnsOf(graph).forEach((column, index) => {
    columns[column] ??= [];
    columns[column].push(index);
  });
  const filled = Array.from(columns, (column) => column ?? []).filter((column) => column.length);
  untangle(graph, filled);

  const sizes = graph.ids.map(sizeOf);
  const heights = sizes.map((size) => size.height);
  const middle = new Array<number>(graph.ids.length).fill(0);
  const positions = new Map<string, Point>();
  let x = 0;
  for (const column of filled) {
    const wanted = (index: number) => {
      const near = graph.before[index] ?? [];
      if (near.length === 0) return middle[index] ?? 0;
      return near.reduce((sum, other) => sum + (middle[other] ?? 0), 0) / near.length;
    };
    const tops = settle(column, wanted, heights);
    const width = Math.max(...column.map((index) => sizes[index]?.width ?? 0));
    column.forEach((index, row) => {
      const top = tops[row] ?? 0;
      middle[index] = top + (heights[index] ?? 0) / 2;
      const left = x + (width - (sizes[index]?.width ?? 0)) / 2;
      positions.set(graph.ids[index] as string, [Math.round(left), Math.round(top)]);
    });
    x += width + COLUMN_GAP;
  }
  return positions;
}
