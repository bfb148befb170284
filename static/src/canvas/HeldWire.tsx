import { type ConnectionLineComponentProps, getBezierPath, useConnection } from "@xyflow/react";
import { useFacts } from "../controls/useApp";
import { shapeText } from "../store/number";
import { verdict } from "../verbs/wire";
import { dtypeClass } from "./ports";

/** The wire under the pointer, in the colour of its dtype. */
export function HeldWire(props: ConnectionLineComponentProps) {
  const { fromNode, fromHandle, fromX, fromY, toX, toY, fromPosition, toPosition } = props;
  const type = useFacts(fromNode.id).types[fromHandle.id ?? ""];
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    targetX: toX,
    targetY: toY,
    sourcePosition: fromPosition,
    targetPosition: toPosition,
  });
  const refused = props.connectionStatus === "invalid";
  return (
    <g className={`wire held-wire ${refused ? "broken" : dtypeClass(type)}`}>
      <path className="react-flow__edge-path" d={path} />
    </g>
  );
}

/** Beside the pointer: what is held, where it would go, or why it may not. */
export function WireHint() {
  const at = useConnection(({ inProgress, pointer, fromNode, fromHandle, toNode, toHandle }) =>
    inProgress && pointer
      ? {
          x: pointer.x,
          y: pointer.y,
          from: fromNode.id,
          fromPort: fromHandle.id ?? "",
          to: toNode?.id ?? "",
          toPort: toHandle?.id ?? "",
        }
      : null,
  );
  const type = useFacts(at?.from ?? "").types[at?.fromPort ?? ""];
  if (!at) return null;
  const reason = at.toPort ? verdict([at.to, at.toPort]) : null;
  const words = type ? `${type.dtype} ${shapeText(type.shape)}` : at.fromPort;
  return (
    <div
      className={`wire-hint${reason ? " refused" : ""}`}
      role="status"
      style={{ transform: `translate(${at.x + 16}px, ${at.y + 18}px)` }}
    >
      {reason ?? (at.toPort ? `${words} → ${at.toPort}` : words)}
    </div>
  );
}
