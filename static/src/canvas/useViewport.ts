import { getViewportForBounds, type ReactFlowInstance, type Viewport } from "@xyflow/react";
import {
  type PointerEvent,
  type RefObject,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { app } from "../store/app";
import type { Point } from "../store/document";
import { cardOf } from "../store/palette";
import { cardSize } from "../store/size";
import { setViewport, viewport } from "../store/viewport";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const MAX_FIT_ZOOM = 1.1;
export const MIN_ZOOM = 0.02;

/** Below these, the labels of wires and then the contents of cards give way. */
const LABEL_ZOOM = 0.6;
const CONTENT_ZOOM = 0.4;
/** Below this, a graph of many nodes is one drawing; above the other, it is cards again. */
const DRAWN_ZOOM = 0.25;
const CARDS_ZOOM = 0.28;
const MANY_NODES = 300;

interface Bounds {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The box around nodes, or around all; null when there are none. */
function boundsOf(ids?: string[]): Bounds | null {
  const { doc, palette } = app.getState();
  if (!doc) return null;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const id of ids ?? Object.keys(doc.nodes)) {
    const node = doc.nodes[id];
    if (!node) continue;
    const [x, y] = doc.layout?.[id] ?? [0, 0];
    const size = viewport()?.sizeOf(id) ?? cardSize(cardOf(palette, node), doc, id);
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + size.width);
    bottom = Math.max(bottom, y + size.height);
  }
  return left > right ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

const hasMany = () => Object.keys(app.getState().doc?.nodes ?? {}).length > MANY_NODES;

/** Whether all of the graph is in view: then a map of it would only be in the way. */
function isWhole({ x, y, zoom }: Viewport, element: HTMLElement): boolean {
  const bounds = boundsOf();
  if (!bounds) return true;
  const left = bounds.x * zoom + x;
  const top = bounds.y * zoom + y;
  const { clientWidth, clientHeight } = element;
  return (
    left >= 0 &&
    top >= 0 &&
    left + bounds.width * zoom <= clientWidth &&
    top + bounds.height * zoom <= clientHeight
  );
}

/** Gives the verbs their hold on React Flow's camera. */
export function useViewport(surface: RefObject<HTMLDivElement | null>) {
  const flow = useRef<ReactFlowInstance | null>(null);
  const pointer = useRef<Point>([0, 0]);
  // A large graph is drawn first and mounted where one looks closer.
  const [drawn, setDrawn] = useState(hasMany);

  const camera = useMemo(() => {
    const duration = () => (CALM.matches ? 0 : 220);
    const toFlow = ([x, y]: Point): Point => {
      const at = flow.current?.screenToFlowPosition({ x, y });
      return at ? [at.x, at.y] : [0, 0];
    };
    return {
      fit: (nodes?: string[]) => {
        const bounds = boundsOf(nodes);
        const element = surface.current;
        if (!bounds || !element) return;
        const padding = nodes ? 0.4 : ({ x: "40px", top: "36px", bottom: "56px" } as const);
        const { clientWidth, clientHeight } = element;
        const view = getViewportForBounds(
          bounds,
          clientWidth,
          clientHeight,
          MIN_ZOOM,
          MAX_FIT_ZOOM,
          padding,
        );
        void flow.current?.setViewport(view, { duration: duration() });
      },
      zoomBy: (factor: number) => {
        const zoom = (flow.current?.getZoom() ?? 1) * factor;
        void flow.current?.zoomTo(zoom, { duration: duration() });
      },
      zoomTo: (zoom: number) => void flow.current?.zoomTo(zoom, { duration: duration() }),
      centre: (): Point => {
        const box = surface.current?.getBoundingClientRect();
        return box ? toFlow([box.left + box.width / 2, box.top + box.height / 2]) : [0, 0];
      },
      pointer: () => pointer.current,
      toFlow,
      toScreen: ([x, y]: Point): Point => {
        const at = flow.current?.flowToScreenPosition({ x, y });
        return at ? [at.x, at.y] : [0, 0];
      },
      sizeOf: (id: string) => {
        const { width, height } = flow.current?.getInternalNode(id)?.measured ?? {};
        return width && height ? { width, height } : null;
      },
      focusNode: (id: string) =>
        surface.current
          ?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"]`)
          ?.focus({ preventScroll: true }),
      element: () => surface.current,
    };
  }, [surface]);

  useEffect(() => {
    setViewport(camera);
    return () => setViewport(null);
  }, [camera]);

  const onMove = useCallback(
    (_: unknown, view: Viewport) => {
      // Straight onto the element: the zoom changes many times a second and no component needs it.
      const element = surface.current;
      if (!element) return;
      element.toggleAttribute("data-small", view.zoom < LABEL_ZOOM);
      element.toggleAttribute("data-far", view.zoom < CONTENT_ZOOM);
      element.toggleAttribute("data-whole", isWhole(view, element));
      setDrawn((now) => hasMany() && view.zoom < (now ? CARDS_ZOOM : DRAWN_ZOOM));
    },
    [surface],
  );
  const onPointerMove = useCallback((event: PointerEvent) => {
    pointer.current = [event.clientX, event.clientY];
  }, []);
  const take = useCallback(
    (instance: ReactFlowInstance) => {
      flow.current = instance;
      camera.fit();
    },
    [camera],
  );
  /** From afar, a double-click goes near instead of adding something. */
  const approach = useCallback((screen: Point) => {
    const at = flow.current?.screenToFlowPosition({ x: screen[0], y: screen[1] });
    if (at) void flow.current?.setCenter(at.x, at.y, { zoom: 0.8, duration: 220 });
  }, []);
  return { take, approach, toFlow: camera.toFlow, onMove, onPointerMove, drawn };
}
