import { useStore } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { colour, font } from "../controls/paint";
import { useApp } from "../controls/useApp";
import { litNodes } from "../store/app";
import type { GraphDocument } from "../store/document";
import { cardOf, type Palette } from "../store/palette";
import { viewport } from "../store/viewport";
import { hueOf } from "./hue";

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  words: string;
}

interface Scene {
  boxes: Map<string, Box>;
  /** Boxes of one colour are filled in one go. */
  byHue: Map<number, Box[]>;
}

const NAMED_FROM_WIDTH = 26;

function sceneOf(doc: GraphDocument, palette: Palette | null): Scene {
  const scene: Scene = { boxes: new Map(), byHue: new Map() };
  for (const [id, node] of Object.entries(doc.nodes)) {
    const card = cardOf(palette, node);
    const [x, y] = doc.layout?.[id] ?? [0, 0];
    const { width = 160, height = 90 } = viewport()?.sizeOf(id) ?? {};
    const box = { x, y, width, height, words: node.name ?? card?.symbol ?? "?" };
    const hue = hueOf(palette, card?.category);
    scene.boxes.set(id, box);
    scene.byHue.set(hue, [...(scene.byHue.get(hue) ?? []), box]);
  }
  return scene;
}

function paint(
  ctx: CanvasRenderingContext2D,
  doc: GraphDocument,
  scene: Scene,
  [x, y, zoom]: readonly [number, number, number],
  lit: ReadonlySet<string>,
): void {
  const ratio = devicePixelRatio;
  const { width, height } = ctx.canvas;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.setTransform(zoom * ratio, 0, 0, zoom * ratio, x * ratio, y * ratio);
  ctx.strokeStyle = colour("--line-strong");
  ctx.lineWidth = 1 / zoom;
  ctx.beginPath();
  for (const { from, to } of doc.edges) {
    const source = scene.boxes.get(from[0]);
    const target = scene.boxes.get(to[0]);
    if (!source || !target) continue;
    ctx.moveTo(source.x + source.width, source.y + 24);
    ctx.lineTo(target.x, target.y + 24);
  }
  ctx.stroke();
  for (const [hue, boxes] of scene.byHue) {
    ctx.fillStyle = `oklch(0.68 0.11 ${hue})`;
    for (const box of boxes) ctx.fillRect(box.x, box.y, box.width, box.height);
  }
  name(ctx, scene, zoom);
  ctx.strokeStyle = colour("--accent");
  ctx.lineWidth = 3 / zoom;
  for (const id of lit) {
    const box = scene.boxes.get(id);
    if (box) ctx.strokeRect(box.x, box.y, box.width, box.height);
  }
}

function name(ctx: CanvasRenderingContext2D, scene: Scene, zoom: number): void {
  ctx.fillStyle = "#fff";
  ctx.font = font(11 / zoom);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const { x, y, width, height, words } of scene.boxes.values()) {
    if (width * zoom < NAMED_FROM_WIDTH) continue;
    ctx.fillText(words, x + width / 2, y + height / 2, width);
  }
}

/** A large graph from afar: one drawing instead of thousands of elements. */
export function FarView() {
  const surface = useRef<HTMLCanvasElement>(null);
  const doc = useApp((state) => state.doc);
  const palette = useApp((state) => state.palette);
  const theme = useApp((state) => state.theme);
  const lit = useApp(litNodes);
  const transform = useStore((state) => state.transform);
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const scene = useRef<{ of: unknown; drawn: Scene } | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme is another drawing
  useEffect(() => {
    const ctx = surface.current?.getContext("2d");
    if (!ctx || !doc) return;
    if (scene.current?.of !== doc) scene.current = { of: doc, drawn: sceneOf(doc, palette) };
    paint(ctx, doc, scene.current.drawn, transform, lit);
  }, [doc, palette, transform, width, height, theme, lit]);

  return (
    <canvas
      ref={surface}
      className="far-view"
      data-testid="far-view"
      width={width * devicePixelRatio}
      height={height * devicePixelRatio}
      style={{ width, height }}
    />
  );
}
