import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo } from "react";
import { useFacts } from "../controls/useApp";
import { dtypeClass, shapeOf } from "./ports";

const LETTER = 5.7;

/** A wire, coloured by its dtype and labelled with dtype and shape. */
export const WireEdge = memo(function WireEdge(props: EdgeProps) {
  const { id, source, target, sourceHandleId, sourceX, sourceY, targetX, targetY } = props;
  const facts = useFacts(source);
  const broken = useFacts(target).error?.port === props.targetHandleId;
  const type = facts.types[sourceHandleId ?? ""];
  const [path, x, y] = getBezierPath(props);

  const shape = type ? shapeOf(type) : "";
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
          {type.upcast && (
            <title>{`Inputs of other dtypes were widened to ${type.dtype} here.`}</title>
          )}
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
