import { type CSSProperties, useMemo, useState } from "react";
import { hueOf } from "../canvas/hue";
import { Icon } from "../controls/Icon";
import { Sign } from "../controls/Sign";
import { useApp } from "../controls/useApp";
import { app } from "../store/app";
import { type Card, type CardParam, NO_PALETTE } from "../store/palette";
import { rangeText, tellParam } from "../store/params";
import { type Folds, groupRows, searchRows } from "../store/rows";
import { addCard } from "../verbs/edit";
import { CardList } from "./CardList";
import { CardSummary } from "./CardSummary";
import { Formula } from "./Formula";

/** Everything that is known of every card, to be searched and read. */
export function Reference() {
  const { cards, categories } = useApp((state) => state.palette ?? NO_PALETTE);
  const shown = useApp((state) => state.entry);
  const entry = cards.find((card) => card.id === shown) ?? cards[0];
  const [folds, setFolds] = useState<Folds>(() =>
    Object.fromEntries(categories.map((name) => [name, name === entry?.category])),
  );
  const [typed, setTyped] = useState("");
  const query = typed.trim();
  const rows = useMemo(
    () => (query ? searchRows(cards, query) : groupRows(cards, categories, folds)),
    [cards, categories, folds, query],
  );
  return (
    <div className="reference" role="tabpanel">
      <nav className="reference-list">
        <CardList
          id="reference-list"
          rows={rows}
          query={query}
          from={entry?.id}
          testPrefix="reference"
          onChoose={read}
          onReach={read}
          onFold={(id, open) => setFolds({ ...folds, [id]: open })}
          search={(props) => (
            <div className="search">
              <Icon name="search" size={14} />
              <input
                {...props}
                className="field"
                type="search"
                placeholder="Search the reference"
                aria-label="Search the reference"
                data-testid="reference-search"
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
              />
            </div>
          )}
        />
      </nav>
      {entry && <Entry key={entry.id} card={entry} />}
    </div>
  );
}

function read(card: Card | null): void {
  if (card) app.setState({ entry: card.id });
}

function Entry({ card }: { card: Card }) {
  const hue = useApp(({ palette }) => hueOf(palette, card.category));
  const hasGraph = useApp((state) => state.doc !== null);
  const { inputs, outputs, params } = card;
  const ports = new Set(inputs.map((input) => input.name));
  return (
    <article
      className="entry"
      style={{ "--hue": hue } as CSSProperties}
      data-testid={`entry-${card.id}`}
    >
      <header className="entry-head">
        <Sign text={card.symbol} />
        <div>
          <h2>{card.label}</h2>
          <p className="quiet-text">{card.category}</p>
        </div>
        <button
          type="button"
          className="button plain"
          disabled={!hasGraph || card.hidden === true}
          onClick={() => {
            app.setState({ overlay: null });
            addCard(card);
          }}
        >
          <Icon name="plus" /> Add to the graph
        </button>
      </header>
      <CardSummary card={card} />
      {card.tex && <Formula tex={card.tex} />}
      {inputs.length > 0 && (
        <Terms
          title="Inputs"
          terms={inputs.map(({ name, doc, optional, variadic }) => ({
            name,
            facts: [
              doc,
              variadic ? "any number of them" : "",
              optional ? openText(params.find((param) => param.name === name)) : "",
            ],
          }))}
        />
      )}
      <Terms
        title="Parameters"
        terms={params
          .filter((param) => !ports.has(param.name))
          .map((param) => ({ name: param.name, facts: factsOf(param, card) }))}
      />
      {outputs.length > 1 && (
        <Terms title="Results" terms={outputs.map(({ name, doc }) => ({ name, facts: [doc] }))} />
      )}
      {card.op && !card.no_gradient && <p className="quiet-text">It has a gradient.</p>}
    </article>
  );
}

const openText = (param: CardParam | undefined) =>
  param ? `${tellParam(param, param.default)} if nothing is wired in` : "may be left open";

const TYPES: Record<string, string> = {
  int: "a whole number",
  float: "a number",
  bool: "true or false",
  axis: "an axis, several, or all",
  ints: "whole numbers",
  shape: "lengths, ? for any",
  dtype: "a dtype",
  index: "an index for each axis, as in 0, 1:3",
  string: "a text",
  value: "a number, or rows of numbers",
};

function factsOf(param: CardParam, card: Card): string[] {
  const kind = param.choices ? param.choices.map(String).join(", ") : (TYPES[param.type] ?? "");
  const usual = card.op ? `default ${tellParam(param, param.default)}` : "";
  return [param.doc, kind, rangeText(param), usual];
}

interface Term {
  name: string;
  facts: string[];
}

function Terms({ title, terms }: { title: string; terms: Term[] }) {
  if (terms.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <dl className="terms">
        {terms.map(({ name, facts }) => {
          const [doc, ...others] = facts;
          return (
            <div key={name}>
              <dt className="mono">{name}</dt>
              <dd>
                {doc}
                <span className="faint">{others.filter(Boolean).join(" · ")}</span>
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
