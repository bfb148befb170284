import {
  Background,
  BackgroundVariant,
  type Connection,
  type Edge,
  type FinalConnectionState,
  MiniMap,
  type Node,
  type OnConnectStartParams,
  ReactFlow,
} from "@xyflow/react";
import { type CSSProperties, type DragEvent, type MouseEvent, useCallback, useRef } from "react";
import { CommandButton } from "../controls/CommandButton";
import { useApp } from "../controls/useApp";
import { app, commit, select } from "../store/app";
import { type End, edgeId, type GraphEdge, type Point } from "../store/document";
import { removeParts } from "../store/edits";
import { CARD_TYPE, cardOf } from "../store/palette";
import { addCard } from "../verbs/edit";
import { openMenu, quickAddAt } from "../verbs/view";
import { dropWire, firstFit, holdWire, joinWire, moveWire, refuse, verdict } from "../verbs/wire";
import { FarView } from "./FarView";
import { HeldWire, WireHint } from "./HeldWire";
import { hueOf } from "./hue";
import { OpNode } from "./OpNode";
import { useFlowGraph } from "./useFlowGraph";
import { MIN_ZOOM, useViewport } from "./useViewport";
import { WireEdge } from "./WireEdge";

const nodeTypes = { card: OpNode };
const edgeTypes = { wire: WireEdge };
const MANY_NODES = 150;
/** What React Flow shows while the graph is drawn as a whole. */
const NOTHING = { nodes: [], edges: [] };

const placeOf = (event: globalThis.MouseEvent | TouchEvent): Point => {
  const at = "changedTouches" in event ? event.changedTouches[0] : event;
  return [at?.clientX ?? 0, at?.clientY ?? 0];
};

const ends = (connection: Connection): { from: End; to: End } => ({
  from: [connection.source, connection.sourceHandle ?? ""],
  to: [connection.target, connection.targetHandle ?? ""],
});

function farEnd(connection: Connection | Edge): End {
  const side = app.getState().wire?.side;
  return side === "to"
    ? [connection.source, connection.sourceHandle ?? ""]
    : [connection.target, connection.targetHandle ?? ""];
}

/** React Flow, wired to the document. */
export function Canvas() {
  const graph = useFlowGraph();
  const many = graph.nodes.length > MANY_NODES;
  const surface = useRef<HTMLDivElement>(null);
  const { take, approach, toFlow, onMove, onPointerMove, drawn } = useViewport(surface);
  const wiring = useWiring();
  const holding = useApp((state) => state.wire !== null);

  const onDoubleClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    if (!target.classList.contains("react-flow__pane")) return;
    if (drawn) void approach([event.clientX, event.clientY]);
    else quickAddAt([event.clientX, event.clientY]);
  };
  const onDrop = (event: DragEvent) => {
    const id = event.dataTransfer.getData(CARD_TYPE);
    const card = app.getState().palette?.cards.find((one) => one.id === id);
    if (!card) return;
    event.preventDefault();
    const [x, y] = toFlow([event.clientX, event.clientY]);
    addCard(card, [x - 70, y - 24]);
  };
  return (
    <section
      ref={surface}
      className={`canvas${holding ? " holding" : ""}`}
      aria-label="Graph"
      tabIndex={-1}
      data-testid="canvas"
      onPointerMove={onPointerMove}
      onDoubleClick={onDoubleClick}
      onDragOver={(event) => {
        if (event.dataTransfer.types.includes(CARD_TYPE)) event.preventDefault();
      }}
      onDrop={onDrop}
    >
      <ReactFlow
        {...graph}
        {...(drawn ? NOTHING : {})}
        {...wiring}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onInit={take}
        onMove={onMove}
        onPaneClick={() => surface.current?.focus({ preventScroll: true })}
        onNodeMouseEnter={(_, node) => app.setState({ pointed: node.id })}
        onNodeMouseLeave={() => app.setState({ pointed: null })}
        onNodeContextMenu={(event, node) => showMenu(event, node.id)}
        onPaneContextMenu={(event) => showMenu(event as MouseEvent, null)}
        connectionLineComponent={HeldWire}
        connectionRadius={28}
        reconnectRadius={14}
        onlyRenderVisibleElements={many}
        minZoom={MIN_ZOOM}
        maxZoom={2.5}
        deleteKeyCode={null}
        zoomOnDoubleClick={false}
        nodeDragThreshold={2}
        elevateNodesOnSelect
        proOptions={{ hideAttribution: true }}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.4} />
        <Overview />
        <Welcome />
        {drawn && <FarView />}
        <WireHint />
      </ReactFlow>
      <nav className="zoom-bar" aria-label="View">
        <CommandButton name="zoom_out" side="top" />
        <CommandButton name="zoom_in" side="top" />
        <CommandButton name="fit" side="top" />
        <CommandButton name="tidy" side="top" />
      </nav>
    </section>
  );
}

function showMenu(event: MouseEvent, node: string | null): void {
  event.preventDefault();
  const { selection } = app.getState();
  if (node && !selection.nodes.includes(node)) select([node]);
  openMenu([event.clientX, event.clientY]);
}

/** What happens between picking a wire up and letting it go. */
function useWiring() {
  const moving = useRef<GraphEdge | null>(null);

  const onConnectStart = useCallback((_: unknown, held: OnConnectStartParams) => {
    // React Flow announces a wire that is moved a second time, as if it were new.
    if (!held.nodeId || !held.handleId || moving.current) return;
    void holdWire([held.nodeId, held.handleId], held.handleType === "target" ? "to" : "from");
  }, []);
  const isValidConnection = useCallback(
    (connection: Connection | Edge) => verdict(farEnd(connection)) === null,
    [],
  );
  const onConnect = useCallback((connection: Connection) => {
    joinWire(farEnd(connection));
  }, []);
  const onConnectEnd = useCallback(
    (event: globalThis.MouseEvent | TouchEvent, state: FinalConnectionState) => {
      if (moving.current) return;
      const { toNode, toHandle, isValid } = state;
      const onto = (event.target as HTMLElement | null)?.closest?.<HTMLElement>(
        ".react-flow__node",
      );
      if (isValid) dropWire();
      else if (toNode && toHandle?.id) {
        joinWire([toNode.id, toHandle.id]);
        dropWire();
      } else if (onto?.dataset.id) {
        const fit = firstFit(onto.dataset.id);
        if (fit) joinWire(fit);
        dropWire();
      } else if (overPane(event)) {
        quickAddAt(placeOf(event));
        dropWire();
      } else dropWire();
    },
    [],
  );
  const onReconnectStart = useCallback((_: unknown, edge: Edge, end: string) => {
    const { doc } = app.getState();
    moving.current = doc?.edges.find((one) => edgeId(one) === edge.id) ?? null;
    const held = moving.current;
    if (held)
      void holdWire(end === "target" ? held.to : held.from, end === "target" ? "to" : "from");
  }, []);
  const onReconnect = useCallback((_: Edge, connection: Connection) => {
    const { from, to } = ends(connection);
    if (moving.current) moveWire(moving.current, from, to);
    moving.current = null;
  }, []);
  const onReconnectEnd = useCallback(
    (
      event: globalThis.MouseEvent | TouchEvent,
      _: Edge,
      __: unknown,
      { toNode, toHandle, isValid }: FinalConnectionState,
    ) => {
      const { doc } = app.getState();
      if (toNode && toHandle?.id && !isValid) refuse([toNode.id, toHandle.id]);
      else if (moving.current && doc && overPane(event)) {
        commit("Unwire", removeParts(doc, [], [edgeId(moving.current)]));
      }
      moving.current = null;
      dropWire();
    },
    [],
  );
  return {
    onConnectStart,
    onClickConnectStart: onConnectStart,
    isValidConnection,
    onConnect,
    onConnectEnd,
    onClickConnectEnd: dropWire,
    onReconnectStart,
    onReconnect,
    onReconnectEnd,
  };
}

const overPane = (event: globalThis.MouseEvent | TouchEvent): boolean => {
  const [x, y] = placeOf(event);
  return document.elementFromPoint(x, y)?.classList.contains("react-flow__pane") ?? false;
};

/** What to do with an empty canvas. */
function Welcome() {
  const empty = useApp((state) => Object.keys(state.doc?.nodes ?? {}).length === 0);
  if (!empty) return null;
  return (
    <div className="welcome">
      <p>Double-click to add a node, or drag one from the palette.</p>
      <p className="quiet-text">A graph file can be dropped here too.</p>
    </div>
  );
}

function Overview() {
  const palette = useApp((state) => state.palette);
  const empty = useApp((state) => Object.keys(state.doc?.nodes ?? {}).length === 0);
  const colour = useCallback(
    (node: Node) => {
      const found = app.getState().doc?.nodes[node.id];
      const category = found && cardOf(palette, found)?.category;
      return `oklch(0.65 0.12 ${hueOf(palette, category)})`;
    },
    [palette],
  );
  if (empty) return null;
  return (
    <MiniMap
      pannable
      zoomable
      ariaLabel="Map of the graph"
      nodeColor={colour}
      nodeBorderRadius={8}
      style={{ width: 148, height: 92 } as CSSProperties}
    />
  );
}
