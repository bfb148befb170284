import { useEffect, useMemo, useState } from "react";
import { Dialog } from "../controls/Dialog";
import { useApp } from "../controls/useApp";
import type { AppState } from "../store/app";
import { app } from "../store/app";
import type { End, GraphDocument } from "../store/document";
import { cardOf, inPorts, outPorts, type Palette } from "../store/palette";
import { dropWire, holdWire, joinWire, verdict } from "../verbs/wire";

interface Choice {
  end: End;
  side: "from" | "to";
  words: string;
  reason: string | null;
}

const nameOf = (doc: GraphDocument, palette: Palette | null, id: string) => {
  const node = doc.nodes[id];
  return node?.name ?? (node && cardOf(palette, node)?.label) ?? node?.op ?? id;
};

/** Ports of the selected node: where a wire can begin. */
function ownPorts(doc: GraphDocument, palette: Palette | null, id: string): Choice[] {
  const node = doc.nodes[id];
  const card = node && cardOf(palette, node);
  const choice = (port: string, side: "from" | "to"): Choice => ({
    end: [id, port],
    side,
    words: side === "from" ? `from output ${port}` : `into input ${port}`,
    reason: null,
  });
  return [
    ...outPorts(card, doc, id).map(({ name }) => choice(name, "from")),
    ...inPorts(card, doc, id).map(({ name }) => choice(name, "to")),
  ];
}

/** Ports of all other nodes: those that fit first, the others with the reason. */
function farPorts({ doc, palette, wire }: AppState): Choice[] {
  if (!doc || !wire) return [];
  const side = wire.side;
  const choices = Object.entries(doc.nodes).flatMap(([id, node]) => {
    if (id === wire.held[0]) return [];
    const card = cardOf(palette, node);
    const ports = side === "from" ? inPorts(card, doc, id) : outPorts(card, doc, id);
    return ports.map(
      ({ name }): Choice => ({
        end: [id, name],
        side,
        words: `${nameOf(doc, palette, id)} · ${name}`,
        reason: verdict([id, name]),
      }),
    );
  });
  return choices.sort((a, b) => Number(a.reason !== null) - Number(b.reason !== null));
}

/** Wiring without the mouse: choose a port, then one that fits. */
export function WirePicker() {
  const id = useApp((state) => state.selection.nodes[0]);
  const doc = useApp((state) => state.doc);
  const palette = useApp((state) => state.palette);
  const wire = useApp((state) => state.wire);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);

  const own = useMemo(() => (doc && id ? ownPorts(doc, palette, id) : []), [doc, palette, id]);
  useEffect(() => {
    const [only, ...others] = own;
    if (only && others.length === 0) void holdWire(only.end, only.side);
    return dropWire;
  }, [own]);

  const choices = wire ? farPorts(app.getState()) : own;
  const found = choices.filter(({ words }) => words.toLowerCase().includes(query.toLowerCase()));
  const chosen = found[Math.min(active, found.length - 1)];
  const name = doc && id ? nameOf(doc, palette, id) : "";
  const title = wire ? `Wire ${name} · ${wire.held[1]} to…` : `Wire ${name}…`;

  const choose = (choice: Choice) => {
    setQuery("");
    setActive(0);
    if (!wire) void holdWire(choice.end, choice.side);
    else if (joinWire(choice.end)) app.setState({ overlay: null });
  };
  return (
    <Dialog title={title} kind="list" testId="wire-picker">
      <input
        className="field list-search"
        role="combobox"
        aria-expanded="true"
        aria-controls="wire-list"
        aria-activedescendant={chosen && `wire-${chosen.end.join("-")}`}
        aria-label={title}
        placeholder={title}
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 }[event.key];
          if (step) {
            event.preventDefault();
            setActive(Math.max(0, Math.min(found.length - 1, active + step)));
          } else if (event.key === "Enter" && chosen) {
            event.preventDefault();
            choose(chosen);
          }
        }}
      />
      <div className="list" id="wire-list" role="listbox" aria-label="Ports">
        {found.map((choice) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the search field
          <div
            key={choice.end.join(" ")}
            id={`wire-${choice.end.join("-")}`}
            role="option"
            tabIndex={-1}
            aria-selected={choice === chosen}
            aria-disabled={choice.reason !== null}
            className={`list-item${choice === chosen ? " active" : ""}${choice.reason ? " unfit" : ""}`}
            onClick={() => choose(choice)}
          >
            <span>{choice.words}</span>
            {choice.reason && <span className="faint">{choice.reason}</span>}
          </div>
        ))}
      </div>
    </Dialog>
  );
}
