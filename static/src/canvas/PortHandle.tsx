import { Handle, Position } from "@xyflow/react";
import { memo, type MouseEvent as ReactMouseEvent } from "react";
import { useApp, useFacts } from "../controls/useApp";
import { edgeId, edgeInto } from "../store/document";
import type { Port } from "../store/palette";
import { verdict } from "../verbs/wire";
import { dtypeClass, portWords, rankClass } from "./ports";

interface Props {
  node: string;
  port: Port;
  side: "in" | "out";
  lit: boolean;
}

/** A port: an in-port wears the type of what is wired to it. */
export const PortHandle = memo(function PortHandle({ node, port, side, lit }: Props) {
  const source = useApp((state) => {
    if (side === "out") return `${node} ${port.name}`;
    const edge = state.doc && edgeInto(state.doc, [node, port.name]);
    return edge ? edge.from.join(" ") : "";
  });
  const [from = "", fromPort = ""] = source.split(" ");
  const type = useFacts(from).types[fromPort];
  const state = useApp(({ wire }) => {
    if (!wire) return "";
    if (wire.held[0] === node && wire.held[1] === port.name) return "held";
    if ((wire.side === "from") === (side === "out")) return "shut";
    return verdict([node, port.name]) === null ? "open" : "shut";
  });
  const words = [port.name, type?.text, port.doc].filter(Boolean).join(" · ");
  return (
    <Handle
      id={port.name}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      className={`port ${dtypeClass(type)} ${rankClass(type)} ${state} ${source ? "wired" : ""} ${
        lit ? "wrong" : ""
      } ${port.optional ? "optional" : ""}`}
      data-testid={`port-${node}-${port.name}`}
      data-side={side}
      onMouseDownCapture={(event) => {
        if (side === "in" && source) pickUpWire(event, node, port.name);
      }}
      title={words}
      role="img"
      aria-label={`${side === "in" ? "input" : "output"} ${words}`}
    />
  );
});

/** A wire that ends here is picked up instead of a second one being drawn. */
function pickUpWire(event: ReactMouseEvent, node: string, port: string): void {
  const id = CSS.escape(edgeId({ from: ["", ""], to: [node, port] }));
  const end = document.querySelector(
    `.react-flow__edge[data-id="${id}"] .react-flow__edgeupdater-target`,
  );
  if (!end || event.button !== 0) return;
  event.stopPropagation();
  end.dispatchEvent(new MouseEvent("mousedown", event.nativeEvent));
}

/** The name of a port; what it reads while nothing is wired into it stands beside it. */
export function PortLabel({ port, typed }: { port: Port; typed?: string | undefined }) {
  const { stem, slot } = portWords(port.name);
  return (
    <span className={`port-label${port.optional ? " optional" : ""}`} title={port.doc}>
      {stem}
      {port.spare ? " +" : slot !== null && <sub>{slot}</sub>}
      {typed !== undefined && <span className="port-typed mono">{typed}</span>}
    </span>
  );
}
