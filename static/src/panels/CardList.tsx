import {
  type CSSProperties,
  type KeyboardEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useState,
} from "react";
import { hueOf } from "../canvas/hue";
import { Icon } from "../controls/Icon";
import { Sign } from "../controls/Sign";
import { useApp } from "../controls/useApp";
import { CARD_TYPE, type Card } from "../store/palette";
import type { Fold, Row } from "../store/rows";
import type { Hit } from "../store/search";
import { CardPeek, usePeek } from "./CardPeek";

interface Props {
  id: string;
  rows: readonly Row[];
  /** What was searched for: another search starts at its best hit. */
  query: string;
  /** The card at which the list is first. */
  from?: string | undefined;
  onChoose: (card: Card) => void;
  /** Fold a group or unfold it; all of them alike with Alt. */
  onFold?: (id: string, open: boolean, all: boolean) => void;
  /** Told which card the keys are at. */
  onReach?: (card: Card | null) => void;
  search: (props: SearchProps) => ReactNode;
  draggable?: boolean;
  /** Whether more of a card is shown beside the list while the pointer or the keys are at it. */
  peeks?: boolean;
  testPrefix: string;
}

export interface SearchProps {
  onKeyDown: (event: KeyboardEvent<HTMLInputElement>) => void;
  onBlur: () => void;
  role: "combobox";
  "aria-expanded": "true";
  "aria-controls": string;
  "aria-activedescendant": string | undefined;
}

const keyOf = (row: Row) =>
  row.type === "card" ? row.hit.card.id : row.type === "fold" ? `fold ${row.id}` : row.text;

/** Cards to choose from: arrows move through them while the cursor stays in the search. */
export function CardList(props: Props) {
  const { id, rows, query, onChoose, onFold, onReach, search, testPrefix } = props;
  // Another search starts at its best hit.
  const [reached, setReached] = useState({ query, key: props.from ?? "" });
  const palette = useApp((state) => state.palette);
  const { peek, show, hide } = usePeek();

  const choices = rows.filter((row) => row.type !== "note");
  const best = choices.findIndex((row) => row.type === "card");
  const found = choices.findIndex((row) => reached.query === query && keyOf(row) === reached.key);
  const here = Math.max(0, found < 0 ? best : found);
  const at = choices[here];
  const optionId = (row: Row) => `${id}-${keyOf(row).replace(/\W/g, "-")}`;
  const elementOf = (row: Row | undefined) => row && document.getElementById(optionId(row));

  const tell = (row: Row | undefined) => {
    const card = row?.type === "card" ? row.hit.card : null;
    const element = elementOf(row);
    element?.scrollIntoView({ block: "nearest" });
    onReach?.(card);
    if (card && element) show(card, element, 0);
    else hide();
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another search changes the best hit
  useEffect(() => {
    if (query) tell(choices[best]);
    else hide();
  }, [query]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it appears
  useEffect(() => {
    const look = () => elementOf(at)?.scrollIntoView({ block: "center" });
    // The sheet that it may be on is shown after it.
    if (props.from) requestAnimationFrame(look);
  }, []);

  const reach = (to: number) => {
    const row = choices[Math.max(0, Math.min(choices.length - 1, to))];
    if (row) setReached({ query, key: keyOf(row) });
    tell(row);
  };
  const pick = useCallback(
    (card: Card) => {
      setReached({ query, key: card.id });
      onChoose(card);
    },
    [query, onChoose],
  );
  const fold = (row: Fold, all: boolean) => onFold?.(row.id, !row.open, all);
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    const turn = { ArrowRight: true, ArrowLeft: false }[event.key];
    if (step) reach(here + step);
    else if (event.key === "Enter" && at) {
      hide();
      if (at.type === "card") onChoose(at.hit.card);
      else fold(at, event.altKey);
    } else if (turn === undefined || query !== "" || !at) return;
    else if (at.type === "fold" && at.open !== turn) fold(at, event.altKey);
    else if (!turn) reach(choices.slice(0, here).findLastIndex((row) => row.type === "fold"));
    event.preventDefault();
  };
  return (
    <>
      {search({
        onKeyDown,
        onBlur: hide,
        role: "combobox",
        "aria-expanded": "true",
        "aria-controls": id,
        "aria-activedescendant": at && optionId(at),
      })}
      <div
        className="card-list"
        id={id}
        role="tree"
        aria-label="Nodes"
        tabIndex={-1}
        onPointerLeave={hide}
      >
        {rows.map((row) =>
          row.type === "note" ? (
            <p className="quiet-text list-note" key={keyOf(row)}>
              {row.text}
            </p>
          ) : row.type === "fold" ? (
            <FoldItem
              key={keyOf(row)}
              id={optionId(row)}
              row={row}
              active={row === at}
              onFold={fold}
            />
          ) : (
            <CardItem
              key={keyOf(row)}
              id={optionId(row)}
              hit={row.hit}
              hue={hueOf(palette, row.hit.card.category)}
              unfit={row.unfit}
              active={row === at}
              draggable={props.draggable ?? false}
              testId={`${testPrefix}-${row.hit.card.id}`}
              onChoose={pick}
              onPoint={show}
              onLeave={hide}
            />
          ),
        )}
      </div>
      {props.peeks && peek && <CardPeek {...peek} />}
    </>
  );
}

interface FoldProps {
  id: string;
  row: Fold;
  active: boolean;
  onFold: (row: Fold, all: boolean) => void;
}

function FoldItem({ id, row, active, onFold }: FoldProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the search field
    <div
      id={id}
      role="treeitem"
      aria-level={row.inner ? 2 : 1}
      aria-expanded={row.open}
      aria-selected={active}
      tabIndex={-1}
      className={`fold${row.inner ? " inner" : ""}${active ? " active" : ""}`}
      data-testid={`fold-${row.id}`}
      onClick={(event) => onFold(row, event.altKey)}
    >
      <Icon name={row.open ? "chevron_down" : "chevron_right"} size={12} />
      <span>{row.label}</span>
      <span className="fold-count">{row.count}</span>
    </div>
  );
}

interface ItemProps {
  id: string;
  hit: Hit;
  hue: number;
  unfit: boolean;
  active: boolean;
  draggable: boolean;
  testId: string;
  onChoose: (card: Card) => void;
  onPoint: (card: Card, element: Element) => void;
  onLeave: () => void;
}

const CardItem = memo(function CardItem(props: ItemProps) {
  const { id, hit, hue, unfit, active, draggable, testId, onChoose, onPoint, onLeave } = props;
  const { card, alias } = hit;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the search field
    <div
      id={id}
      role="treeitem"
      aria-level={2}
      aria-selected={active}
      tabIndex={-1}
      className={`card-item${active ? " active" : ""}${unfit ? " unfit" : ""}`}
      style={{ "--hue": hue } as CSSProperties}
      draggable={draggable}
      data-testid={testId}
      onDragStart={(event) => {
        onLeave();
        event.dataTransfer.setData(CARD_TYPE, card.id);
        event.dataTransfer.effectAllowed = "copy";
      }}
      onPointerEnter={(event) => onPoint(card, event.currentTarget)}
      onClick={() => {
        onLeave();
        onChoose(card);
      }}
    >
      <Sign text={card.symbol} small />
      <span className="card-item-label">{card.label}</span>
      {alias && <span className="card-item-alias">{alias}</span>}
    </div>
  );
});
