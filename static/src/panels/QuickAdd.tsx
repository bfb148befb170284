import { useEffect, useMemo, useRef, useState } from "react";
import { useApp } from "../controls/useApp";
import type { QuickAdd as Place } from "../store/app";
import { type Card, NO_PALETTE } from "../store/palette";
import { groupRows, searchRows } from "../store/rows";
import { addCard } from "../verbs/edit";
import { closeQuickAdd, foldGroup } from "../verbs/view";
import { CardList } from "./CardList";

const WIDTH = 280;
const HEIGHT = 380;

/** The palette at the pointer; after a wire was let go, first of all what has a port for it. */
export function QuickAdd() {
  const at = useApp((state) => state.quickAdd);
  return at && <Picker at={at} />;
}

function Picker({ at }: { at: Place }) {
  const { cards, categories } = useApp((state) => state.palette ?? NO_PALETTE);
  const folds = useApp((state) => state.folds);
  const [typed, setTyped] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const query = typed.trim();
  const { screen, flow, wire } = at;
  const fits = wire?.fits ?? null;
  useEffect(() => box.current?.querySelector("input")?.focus(), []);
  const rows = useMemo(
    () => (query ? searchRows(cards, query, fits) : groupRows(cards, categories, folds, fits)),
    [cards, categories, folds, query, fits],
  );
  const choose = (card: Card) => {
    closeQuickAdd();
    addCard(card, flow ? [flow[0], flow[1] - 24] : undefined, wire);
  };
  const left = Math.min(screen[0], window.innerWidth - WIDTH - 8);
  const top = Math.min(screen[1], window.innerHeight - HEIGHT - 8);
  return (
    <>
      <div className="veil-none" onPointerDown={closeQuickAdd} />
      <div
        ref={box}
        className="popover quick-add"
        role="dialog"
        aria-label="Add a node"
        data-testid="quick-add"
        style={{ left, top, width: WIDTH, maxHeight: HEIGHT }}
      >
        <CardList
          id="quick-add-list"
          rows={rows}
          query={query}
          peeks
          testPrefix="quick-add"
          onChoose={choose}
          onFold={foldGroup}
          search={({ onKeyDown, ...props }) => (
            <input
              {...props}
              className="field"
              placeholder={wire ? "Wire to a new…" : "Add a node…"}
              aria-label="Search what to add"
              data-testid="quick-add-search"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Escape" || event.key === "Tab") {
                  event.preventDefault();
                  event.stopPropagation();
                  closeQuickAdd();
                } else onKeyDown(event);
              }}
            />
          )}
        />
      </div>
    </>
  );
}
