import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { hueOf } from "../canvas/hue";
import { Sign } from "../controls/Sign";
import { useApp } from "../controls/useApp";
import { CARD_TYPE, type Card } from "../store/palette";

interface Props {
  id: string;
  cards: Card[];
  onChoose: (card: Card) => void;
  search: (props: SearchProps) => ReactNode;
  draggable?: boolean;
  /** Under the names of their categories; what follows the last card of one comes from here. */
  groupEnd?: (category: string) => ReactNode;
  testPrefix: string;
}

export interface SearchProps {
  onKeyDown: (event: KeyboardEvent) => void;
  "aria-controls": string;
  "aria-activedescendant": string | undefined;
}

/** Cards to choose from: arrows move through them while the cursor stays in the search. */
export function CardList(props: Props) {
  const { id, cards, onChoose, search, draggable = false, groupEnd, testPrefix } = props;
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const chosen = cards[Math.min(active, cards.length - 1)];

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list starts at its top
  useEffect(() => setActive(0), [cards]);

  const move = (to: number) => {
    const next = Math.max(0, Math.min(cards.length - 1, to));
    setActive(next);
    list.current
      ?.querySelectorAll<HTMLElement>('[role="option"]')
      [next]?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) move(active + step);
    else if (event.key === "Enter" && chosen) onChoose(chosen);
    else return;
    event.preventDefault();
  };
  const optionId = (card: Card) => `${id}-${card.id}`;
  return (
    <>
      {search({
        onKeyDown,
        "aria-controls": id,
        "aria-activedescendant": chosen && optionId(chosen),
      })}
      <div className="card-list" id={id} role="listbox" aria-label="Nodes" ref={list} tabIndex={-1}>
        {cards.map((card, at) => (
          <div className="card-slot" key={card.id} role="presentation">
            {groupEnd && card.category !== cards[at - 1]?.category && (
              <div className="group-name" aria-hidden="true">
                {card.category}
              </div>
            )}
            <CardItem
              id={optionId(card)}
              card={card}
              active={card === chosen}
              draggable={draggable}
              testId={`${testPrefix}-${card.id}`}
              onChoose={onChoose}
            />
            {card.category !== cards[at + 1]?.category && groupEnd?.(card.category)}
          </div>
        ))}
        {cards.length === 0 && <p className="quiet-text">Nothing is called that.</p>}
      </div>
    </>
  );
}

interface ItemProps {
  id: string;
  card: Card;
  active: boolean;
  draggable: boolean;
  testId: string;
  onChoose: (card: Card) => void;
}

function CardItem({ id, card, active, draggable, testId, onChoose }: ItemProps) {
  const hue = useApp(({ palette }) => hueOf(palette, card.category));
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the search field
    <div
      id={id}
      role="option"
      aria-selected={active}
      tabIndex={-1}
      className={`card-item${active ? " active" : ""}`}
      style={{ "--hue": hue } as React.CSSProperties}
      title={card.doc}
      draggable={draggable}
      data-testid={testId}
      onDragStart={(event) => {
        event.dataTransfer.setData(CARD_TYPE, card.id);
        event.dataTransfer.effectAllowed = "copy";
      }}
      onClick={() => onChoose(card)}
    >
      <Sign text={card.symbol} small />
      <span className="card-item-label">{card.label}</span>
    </div>
  );
}
