import { useEffect, useState } from "react";
import { hueOf } from "../canvas/hue";
import { useApp } from "../controls/useApp";
import { layOut } from "../layout";
import type { GraphDocument, Point } from "../store/document";
import { cardOf } from "../store/palette";
import { galleryDocument } from "../verbs/graph";

const BOX = { width: 168, height: 72 };

function positionsOf(doc: GraphDocument): Map<string, Point> {
  const given = Object.entries(doc.layout ?? {});
  return given.length > 0 ? new Map(given) : layOut(doc, () => BOX);
}

/** A gallery graph in small: its nodes as boxes in the colours of their categories. */
export function Preview({ name }: { name: string }) {
  const [doc, setDoc] = useState<GraphDocument | null>(null);
  const palette = useApp((state) => state.palette);
  useEffect(() => {
    let current = true;
    void galleryDocument(name).then((found) => {
      if (current) setDoc(found);
    });
    return () => {
      current = false;
    };
  }, [name]);
  if (!doc) return <span className="preview" />;

  const positions = positionsOf(doc);
  const points = [...positions.values()];
  const left = Math.min(0, ...points.map(([x]) => x)) - 40;
  const top = Math.min(...points.map(([, y]) => y)) - 40;
  const width = Math.max(...points.map(([x]) => x)) + BOX.width + 40 - left;
  const height = Math.max(...points.map(([, y]) => y)) + BOX.height + 40 - top;
  return (
    <span className="preview">
      <svg viewBox={`${left} ${top} ${width} ${height}`} aria-hidden="true">
        {doc.edges.map(({ from, to }) => {
          const [x1, y1] = positions.get(from[0]) ?? [0, 0];
          const [x2, y2] = positions.get(to[0]) ?? [0, 0];
          const [sx, sy, ty] = [x1 + BOX.width, y1 + BOX.height / 2, y2 + BOX.height / 2];
          const bend = Math.max(40, Math.abs(x2 - sx) / 2);
          return (
            <path
              key={to.join(" ")}
              className="preview-wire"
              d={`M${sx} ${sy}C${sx + bend} ${sy} ${x2 - bend} ${ty} ${x2} ${ty}`}
            />
          );
        })}
        {Object.entries(doc.nodes).map(([id, node]) => {
          const [x, y] = positions.get(id) ?? [0, 0];
          const hue = hueOf(palette, cardOf(palette, node)?.category);
          return <rect key={id} x={x} y={y} {...BOX} rx={16} fill={`oklch(0.68 0.12 ${hue})`} />;
        })}
      </svg>
    </span>
  );
}
