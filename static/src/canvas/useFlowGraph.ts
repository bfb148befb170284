import {
  applyNodeChanges,
  type Edge,
  type EdgeChange,
  type Node,
  type NodeChange,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useApp } from "../controls/useApp";
import { app, select } from "../store/app";
import { edgeId, type GraphDocument, type GraphEdge, type Point } from "../store/document";
import { moveTo } from "../verbs/edit";

const NO_EDGES: GraphEdge[] = [];

/** React Flow's nodes as a projection of the document; those that did not change stay the same. */
function project(before: Node[], doc: GraphDocument | null, selected: Set<string>): Node[] {
  const known = new Map(before.map((node) => [node.id, node]));
  return Object.entries(doc?.nodes ?? {}).map(([id, { name, op, kind }]) => {
    const [x, y] = doc?.layout?.[id] ?? [0, 0];
    const ariaLabel = [name, op ?? kind].filter(Boolean).join(", ");
    const old = known.get(id);
    const isSelected = selected.has(id);
    if (
      old &&
      old.position.x === x &&
      old.position.y === y &&
      old.selected === isSelected &&
      old.ariaLabel === ariaLabel
    ) {
      return old;
    }
    return {
      ...(old ?? { id, type: "card", data: {} }),
      position: { x, y },
      selected: isSelected,
      ariaLabel,
    };
  });
}

const projected = new WeakMap<GraphEdge, Edge>();

function projectEdge(edge: GraphEdge, selected: boolean): Edge {
  const known = projected.get(edge);
  if (known && known.selected === selected) return known;
  const made: Edge = {
    id: edgeId(edge),
    type: "wire",
    source: edge.from[0],
    sourceHandle: edge.from[1],
    target: edge.to[0],
    targetHandle: edge.to[1],
    selected,
  };
  projected.set(edge, made);
  return made;
}

function toggled(list: string[], changes: { id: string; selected: boolean }[]): string[] {
  const set = new Set(list);
  for (const { id, selected } of changes) {
    if (selected) set.add(id);
    else set.delete(id);
  }
  return [...set];
}

/** The graph on the screen, and what to do with React Flow's changes to it. */
export function useFlowGraph() {
  const doc = useApp((state) => state.doc);
  const selection = useApp((state) => state.selection);
  const docNodes = doc?.nodes;
  const layout = doc?.layout;
  const [nodes, setNodes] = useState<Node[]>([]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only these parts of it are drawn
  useEffect(() => {
    setNodes((before) => project(before, doc, new Set(selection.nodes)));
  }, [docNodes, layout, selection.nodes]);

  const docEdges = doc?.edges ?? NO_EDGES;
  const edges = useMemo(() => {
    const chosen = new Set(selection.edges);
    return docEdges.map((edge) => projectEdge(edge, chosen.has(edgeId(edge))));
  }, [docEdges, selection.edges]);

  const onNodesChange = useCallback((changes: NodeChange[]) => {
    const moved = new Map<string, Point>();
    for (const change of changes) {
      if (change.type === "position" && change.dragging === false && change.position) {
        moved.set(change.id, [change.position.x, change.position.y]);
      }
    }
    const drawn = changes.filter(({ type }) => type === "position" || type === "dimensions");
    if (drawn.length > 0) setNodes((before) => applyNodeChanges(drawn, before));
    if (moved.size > 0) moveTo(moved);
    const picked = changes.filter((change) => change.type === "select");
    if (picked.length > 0) {
      const { selection: now } = app.getState();
      select(toggled(now.nodes, picked), now.edges);
    }
  }, []);

  const onEdgesChange = useCallback((changes: EdgeChange[]) => {
    const picked = changes.filter((change) => change.type === "select");
    if (picked.length === 0) return;
    const { selection: now } = app.getState();
    select(now.nodes, toggled(now.edges, picked));
  }, []);

  return { nodes, edges, onNodesChange, onEdgesChange };
}
