import type { Point } from "./document";

/** What the canvas can do for a verb; the canvas puts itself here while it is on the screen. */
export interface Viewport {
  fit(nodes?: string[]): void;
  zoomBy(factor: number): void;
  zoomTo(zoom: number): void;
  /** Where the middle of the visible canvas lies in the graph. */
  centre(): Point;
  /** Where the pointer was last, on the screen. */
  pointer(): Point;
  toFlow(screen: Point): Point;
  toScreen(flow: Point): Point;
  /** Sizes as drawn; null for nodes that were not drawn yet. */
  sizeOf(id: string): { width: number; height: number } | null;
  focusNode(id: string): void;
  element(): HTMLElement | null;
}

let current: Viewport | null = null;

export const viewport = (): Viewport | null => current;

export function setViewport(next: Viewport | null): void {
  current = next;
}
