import { useState } from "react";
import { type Command, commands, invoke } from "../commands";
import { Keys } from "../controls/CommandButton";
import { Dialog } from "../controls/Dialog";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { app } from "../store/app";

const matches = ({ label, doc, group }: Command, query: string) =>
  query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => `${label} ${doc} ${group}`.toLowerCase().includes(word));

/** Search everything that can be done, and do it. */
export function CommandPalette() {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const state = useApp((all) => all);
  const found = commands.filter((command) => command.enabled(state) && matches(command, query));
  const chosen = found[Math.min(active, found.length - 1)];

  const choose = ({ name }: Command) => {
    app.setState({ overlay: null });
    invoke(name);
  };
  return (
    <Dialog title="Commands" kind="list" testId="command-palette">
      <input
        className="field list-search"
        role="combobox"
        aria-expanded="true"
        aria-controls="command-list"
        aria-activedescendant={chosen && `command-${chosen.name}`}
        aria-label="Search commands"
        placeholder="What do you want to do?"
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step) {
            event.preventDefault();
            const next = Math.max(0, Math.min(found.length - 1, active + step));
            setActive(next);
            document
              .getElementById(`command-${found[next]?.name}`)
              ?.scrollIntoView({ block: "nearest" });
          } else if (event.key === "Enter" && chosen) {
            event.preventDefault();
            choose(chosen);
          }
        }}
      />
      <div className="list" id="command-list" role="listbox" aria-label="Commands">
        {found.map((command) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the search field
          <div
            key={command.name}
            id={`command-${command.name}`}
            role="option"
            tabIndex={-1}
            aria-selected={command === chosen}
            className={`list-item${command === chosen ? " active" : ""}`}
            onClick={() => choose(command)}
          >
            <Icon name={command.icon} />
            <span>{command.label}</span>
            <span className="faint">{command.doc}</span>
            {command.keys[0] && <Keys keys={command.keys[0]} />}
          </div>
        ))}
      </div>
    </Dialog>
  );
}
