import { useMemo, useState } from "react";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { type Card, search } from "../store/palette";
import { addCard } from "../verbs/edit";
import { CardList } from "./CardList";

const NO_CARDS: Card[] = [];

/** A typed variable of another dtype than the usual one: found by its name, else out of the way. */
function isRareType({ id, kind, preset }: Card, cards: Card[]): boolean {
  const general = cards.find((card) => card.id === kind);
  return id !== kind && kind !== "op" && preset.dtype !== general?.preset.dtype;
}

/** Everything that can be put on the canvas. */
export function Palette() {
  const cards = useApp((state) => state.palette?.cards ?? NO_CARDS);
  const categories = useApp((state) => state.palette?.categories);
  const [query, setQuery] = useState("");
  const [allTypes, setAllTypes] = useState(false);
  const found = useMemo(() => {
    const order = (card: Card) => categories?.indexOf(card.category) ?? 0;
    const hits = search(cards, query);
    if (query.trim()) return hits;
    const shown = allTypes ? hits : hits.filter((card) => !isRareType(card, cards));
    return shown.sort((a, b) => order(a) - order(b));
  }, [cards, categories, query, allTypes]);
  const rare = useMemo(() => cards.filter((card) => isRareType(card, cards)), [cards]);
  const groupEnd = (category: string) =>
    category === rare[0]?.category && (
      <button
        type="button"
        role="option"
        aria-selected={allTypes}
        tabIndex={-1}
        className="more-types"
        onClick={() => setAllTypes(!allTypes)}
      >
        <Icon name={allTypes ? "chevron_up" : "chevron_down"} size={13} />
        {allTypes ? "fewer types" : `${rare.length} more types`}
      </button>
    );
  return (
    <aside className="panel palette" aria-label="Palette">
      <CardList
        id="palette-list"
        cards={found}
        {...(query.trim() === "" ? { groupEnd } : {})}
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
              placeholder="Search nodes"
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
