import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo } from "react";
import { useFacts } from "../controls/useApp";
import { shapeText } from "../store/number";
import { dtypeClass } from "./ports";

const LETTER = 5.7;
const PORT_RADIUS = 5;

/** A wire, coloured by its dtype and labelled with dtype and shape. */
export const WireEdge = memo(function WireEdge(props: EdgeProps) {
  const { id, source, target, sourceHandleId, sourceY, targetY } = props;
  // To the middle of the ports, whose shapes differ in width.
  const sourceX = props.sourceX - PORT_RADIUS;
  const targetX = props.targetX + PORT_RADIUS;
  const facts = useFacts(source);
  const broken = useFacts(target).error?.port === props.targetHandleId;
  const type = facts.types[sourceHandleId ?? ""];
  const [path, x, y] = getBezierPath({ ...props, sourceX, targetX });

  const shape = type ? shapeText(type.shape) : "";
  const words = type ? `${type.dtype} ${shape}` : "";
  const room = Math.abs(targetX - sourceX) - 24;
  const oneLine = words.length * LETTER < room;
  const flat = Math.abs(targetY - sourceY) < 10;
  return (
    <g
      className={`wire ${dtypeClass(type)}${broken ? " broken" : ""}${type?.upcast ? " upcast" : ""}`}
      data-testid={`edge-${id}`}
    >
      <BaseEdge path={path} interactionWidth={18} />
      {type && (
        <text className="wire-label" x={x} y={y} data-testid={`edge-label-${id}`}>
          {type.upcast && <title>{`Nobody asked for ${type.dtype} here.`}</title>}
          <tspan x={x} y={flat || !oneLine ? y - 5 : y + 3}>
            {type.upcast && "⇡ "}
            {oneLine ? words : type.dtype}
          </tspan>
          {!oneLine && (
            <tspan x={x} y={y + 12}>
              {shape}
            </tspan>
          )}
        </text>
      )}
    </g>
  );
});
