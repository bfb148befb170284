import { useMemo, useState } from "react";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { type Card, search } from "../store/palette";
import { addCard } from "../verbs/edit";
import { CardList } from "./CardList";

const NO_CARDS: Card[] = [];

/** Everything that can be put on the canvas. */
export function Palette() {
  const cards = useApp((state) => state.palette?.cards ?? NO_CARDS);
  const categories = useApp((state) => state.palette?.categories);
  const [query, setQuery] = useState("");
  const found = useMemo(() => {
    const order = (card: Card) => categories?.indexOf(card.category) ?? 0;
    if (query.trim()) return search(cards, query);
    return [...cards].sort((a, b) => order(a) - order(b));
  }, [cards, categories, query]);
  return (
    <aside className="panel palette" aria-label="Palette">
      <CardList
        id="palette-list"
        cards={found}
        grouped={query.trim() === ""}
        draggable
        testPrefix="palette"
        onChoose={(card) => addCard(card)}
        search={(props) => (
          <div className="search">
            <Icon name="search" size={14} />
            <input
              {...props}
              id="palette-search"
              className="field"
              type="search"
              role="combobox"
              aria-expanded="true"
              placeholder="Search variables and ops"
              aria-label="Search the palette"
              data-testid="palette-search"
              value={query}
              onChange={(event) => setQuery(event.target.value)}
            />
          </div>
        )}
      />
    </aside>
  );
}
