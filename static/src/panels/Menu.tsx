import { type KeyboardEvent, useEffect, useRef } from "react";
import { command, commands, type Group, invoke } from "../commands";
import { Keys } from "../controls/CommandButton";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { openMenu } from "../verbs/view";

const WHOLE: Group[] = ["Graph", "Edit", "Select", "View", "Compute", "Train", "Rewrites", "Help"];
const ON_NODES: Group[] = ["Edit", "Select"];

/** The verbs as a menu: all of them from the bar, those for nodes under the pointer. */
export function Menu() {
  const at = useApp((state) => state.menu);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (at) list.current?.querySelector<HTMLElement>("button:not(:disabled)")?.focus();
  }, [at]);
  if (!at) return null;
  const groups = at[1] < 60 ? WHOLE : ON_NODES;

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") openMenu(null);
    if (!step) return;
    event.preventDefault();
    const items = [...(list.current?.querySelectorAll<HTMLElement>("button:not(:disabled)") ?? [])];
    const here = items.indexOf(document.activeElement as HTMLElement);
    items[(here + step + items.length) % items.length]?.focus();
  };
  const left = Math.min(at[0], window.innerWidth - 270);
  const top = groups === WHOLE ? at[1] : Math.max(8, Math.min(at[1], window.innerHeight - 540));
  return (
    <>
      <div className="veil-none" onPointerDown={() => openMenu(null)} />
      <div
        ref={list}
        className="popover menu"
        role="menu"
        tabIndex={-1}
        style={{ left, top }}
        onKeyDown={onKeyDown}
      >
        {groups.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of menu items, not of fields
          <div key={group} role="group" aria-label={group}>
            <h3 className="group-name">{group}</h3>
            {commands
              .filter((one) => one.group === group)
              .map(({ name }) => (
                <MenuItem key={name} name={name} />
              ))}
          </div>
        ))}
      </div>
    </>
  );
}

function MenuItem({ name }: { name: string }) {
  const { label, icon, keys, enabled } = command(name);
  const usable = useApp(enabled);
  return (
    <button
      type="button"
      role="menuitem"
      className="menu-item"
      disabled={!usable}
      onClick={() => {
        openMenu(null);
        invoke(name);
      }}
    >
      <Icon name={icon} />
      <span>{label}</span>
      {keys[0] && <Keys keys={keys[0]} />}
    </button>
  );
}
