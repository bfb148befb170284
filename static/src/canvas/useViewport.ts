import type { ReactFlowInstance, Viewport } from "@xyflow/react";
import { type PointerEvent, type RefObject, useCallback, useEffect, useMemo, useRef } from "react";
import type { Point } from "../store/document";
import { setViewport } from "../store/viewport";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const READABLE_ZOOM = 0.45;

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
      surface.current?.classList.toggle("far", view.zoom < READABLE_ZOOM);
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
