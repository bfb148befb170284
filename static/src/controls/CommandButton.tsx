import { command, invoke } from "../commands";
import { keyCaps } from "../keyboard";
import { Icon } from "./Icon";
import { useApp } from "./useApp";

interface Props {
  name: string;
  /** Words beside the icon; without them the button is the icon alone. */
  text?: string;
  icon?: string;
  tone?: "plain" | "primary" | "quiet";
  /** Lit while what it switches is on. */
  pressed?: boolean;
  side?: "top" | "bottom";
}

/** A button that is a command: label, shortcut, icon and state all come from the table. */
export function CommandButton({ name, text, icon, tone = "quiet", pressed, side }: Props) {
  const { label, keys, enabled, icon: own } = command(name);
  const usable = useApp(enabled);
  const [shortcut] = keys;
  const hint = shortcut ? `${label}  ${keyCaps(shortcut).join(" ")}` : label;
  return (
    <button
      type="button"
      className={`button ${tone}${text ? "" : " square"}`}
      data-testid={`cmd-${name}`}
      data-tip={hint}
      data-tip-side={side ?? "bottom"}
      aria-label={text ?? label}
      aria-keyshortcuts={shortcut?.replace("Mod", "Control")}
      aria-pressed={pressed}
      disabled={!usable}
      onClick={() => invoke(name)}
    >
      <Icon name={icon ?? own} />
      {text && <span>{text}</span>}
    </button>
  );
}

export function Keys({ keys }: { keys: string }) {
  return (
    <span className="keys">
      {keyCaps(keys).map((cap) => (
        <kbd key={cap}>{cap}</kbd>
      ))}
    </span>
  );
}
