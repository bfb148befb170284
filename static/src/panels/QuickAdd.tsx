import { useEffect, useMemo, useRef, useState } from "react";
import { useApp } from "../controls/useApp";
import { type Card, search } from "../store/palette";
import { addCard } from "../verbs/edit";
import { closeQuickAdd } from "../verbs/view";
import { CardList } from "./CardList";

const WIDTH = 264;
const HEIGHT = 340;

/** The palette at the pointer; after a wire was let go, only what has a port for it. */
export function QuickAdd() {
  const at = useApp((state) => state.quickAdd);
  const palette = useApp((state) => state.palette);
  const [query, setQuery] = useState("");
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (at) box.current?.querySelector("input")?.focus();
    else setQuery("");
  }, [at]);
  const side = at?.wire?.side;
  const found = useMemo(() => {
    const fits = (card: Card) =>
      side === "from" ? card.inputs.length > 0 : side === "to" ? card.outputs.length > 0 : true;
    return search(palette?.cards ?? [], query).filter(fits);
  }, [palette, query, side]);
  if (!at) return null;

  const choose = (card: Card) => {
    const held = at.wire ? { end: at.wire.held, side: at.wire.side } : undefined;
    closeQuickAdd();
    addCard(card, at.flow ? [at.flow[0], at.flow[1] - 24] : undefined, held);
  };
  const left = Math.min(at.screen[0], window.innerWidth - WIDTH - 8);
  const top = Math.min(at.screen[1], window.innerHeight - HEIGHT - 8);
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
          cards={found}
          testPrefix="quick-add"
          onChoose={choose}
          search={({ onKeyDown, ...props }) => (
            <input
              {...props}
              className="field"
              role="combobox"
              aria-expanded="true"
              placeholder={side ? "Wire to a new…" : "Add a node…"}
              aria-label="Search what to add"
              data-testid="quick-add-search"
              value={query}
              onChange={(event) => setQuery(event.target.value)}
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
