import type { ReactFlowInstance, Viewport } from "@xyflow/react";
import { type PointerEvent, type RefObject, useCallback, useEffect, useMemo, useRef } from "react";
import type { Point } from "../store/document";
import { setViewport } from "../store/viewport";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
/** Below these, the labels of wires and then the contents of cards give way. */
const LABEL_ZOOM = 0.6;
const CONTENT_ZOOM = 0.4;

/** Whether all of the graph is in view: then a map of it would only be in the way. */
function isWhole(flow: ReactFlowInstance | null, element: HTMLElement): boolean {
  if (!flow) return true;
  const { x, y, width, height } = flow.getNodesBounds(flow.getNodes());
  const box = element.getBoundingClientRect();
  const from = flow.flowToScreenPosition({ x, y });
  const to = flow.flowToScreenPosition({ x: x + width, y: y + height });
  return from.x >= box.left && from.y >= box.top && to.x <= box.right && to.y <= box.bottom;
}

/** Gives the verbs their hold on React Flow's camera. */
export function useViewport(surface: RefObject<HTMLDivElement | null>) {
  const flow = useRef<ReactFlowInstance | null>(null);
  const pointer = useRef<Point>([0, 0]);

  const camera = useMemo(() => {
    const duration = () => (CALM.matches ? 0 : 220);
    const toFlow = ([x, y]: Point): Point => {
      const at = flow.current?.screenToFlowPosition({ x, y });
      return at ? [at.x, at.y] : [0, 0];
    };
    return {
      fit: (nodes?: string[]) => {
        void flow.current?.fitView({
          padding: nodes ? 0.4 : { x: "40px", top: "36px", bottom: "56px" },
          maxZoom: 1.1,
          duration: duration(),
          ...(nodes ? { nodes: nodes.map((id) => ({ id })) } : {}),
        });
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
        const measured = flow.current?.getInternalNode(id)?.measured;
        const { width, height } = measured ?? {};
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
      element?.classList.toggle("small", view.zoom < LABEL_ZOOM);
      element?.classList.toggle("far", view.zoom < CONTENT_ZOOM);
      element?.classList.toggle("whole", isWhole(flow.current, element));
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
  return { onInit: { take, toFlow: camera.toFlow }, onMove, onPointerMove };
}
