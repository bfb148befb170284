import { useCallback, useMemo, useState } from "react";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { type Card, NO_PALETTE } from "../store/palette";
import { groupRows, searchRows } from "../store/rows";
import { addCard } from "../verbs/edit";
import { foldGroup } from "../verbs/view";
import { CardList } from "./CardList";

/** Everything that can be put on the canvas, in groups that fold; or what a search finds. */
export function Palette() {
  const { cards, categories } = useApp((state) => state.palette ?? NO_PALETTE);
  const folds = useApp((state) => state.folds);
  const [typed, setTyped] = useState("");
  const query = typed.trim();
  const rows = useMemo(
    () => (query ? searchRows(cards, query) : groupRows(cards, categories, folds)),
    [cards, categories, folds, query],
  );
  const choose = useCallback((card: Card) => addCard(card), []);
  return (
    <aside className="panel palette" aria-label="Palette">
      <CardList
        id="palette-list"
        rows={rows}
        query={query}
        draggable
        peeks
        testPrefix="palette"
        onChoose={choose}
        onFold={foldGroup}
        search={(props) => (
          <div className="search">
            <Icon name="search" size={14} />
            <input
              {...props}
              id="palette-search"
              className="field"
              type="search"
              placeholder="Search nodes"
              aria-label="Search the palette"
              data-testid="palette-search"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </div>
        )}
      />
    </aside>
  );
}
