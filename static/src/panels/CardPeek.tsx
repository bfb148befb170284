import { useCallback, useEffect, useRef, useState } from "react";
import type { Card } from "../store/palette";
import { CardSummary } from "./CardSummary";

const WIDTH = 300;
const HEIGHT = 260;
const GAP = 10;
const LINGER_MS = 280;

interface Peek {
  card: Card;
  /** The box of the row that the card has in its list. */
  row: DOMRect;
}

/** A look at a card while the pointer lingers on it, or at once while the keys are at it. */
export function usePeek() {
  const [peek, setPeek] = useState<Peek | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const hide = useCallback(() => {
    clearTimeout(timer.current);
    setPeek(null);
  }, []);
  const show = useCallback((card: Card, element: Element, wait = LINGER_MS) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setPeek({ card, row: element.getBoundingClientRect() }), wait);
  }, []);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { peek, show, hide };
}

/** Beside the list: what a card is, before one takes it. */
export function CardPeek({ card, row }: Peek) {
  const right = row.right + GAP + WIDTH < window.innerWidth;
  const left = right ? row.right + GAP : row.left - GAP - WIDTH;
  const top = Math.max(8, Math.min(row.top - 10, window.innerHeight - HEIGHT));
  return (
    <div className="popover peek" style={{ left, top, width: WIDTH }} aria-hidden="true">
      <CardSummary card={card} />
    </div>
  );
}
