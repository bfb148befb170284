// Keys to verbs, read from the table of commands.

import { command, commands, invoke } from "./commands";
import { app } from "./store/app";
import { copyText, deleteSelection, pasteText } from "./verbs/edit";

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

const NAMES: Record<string, string> = {
  Mod: isMac ? "⌘" : "Ctrl",
  Shift: isMac ? "⇧" : "Shift",
  Alt: isMac ? "⌥" : "Alt",
  Escape: "Esc",
  Delete: "Del",
  Enter: "↵",
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
};

/** A shortcut as it is printed on keys. */
export const keyCaps = (keys: string): string[] =>
  (keys === "+" ? ["+"] : keys.split("+")).map((key) => NAMES[key] ?? key);

/** The key event in the spelling of the table. */
function spelled(event: KeyboardEvent): string[] {
  const letter = /^[a-z]$/i.test(event.key);
  const digit = /^Digit(\d)$/.exec(event.code)?.[1];
  const prefix = `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}`;
  const spellings = [
    `${prefix}${letter && event.shiftKey ? "Shift+" : ""}${letter ? event.key.toUpperCase() : event.key}`,
  ];
  if (digit && event.shiftKey) spellings.push(`${prefix}Shift+${digit}`);
  if (!letter && event.shiftKey) spellings.push(`${prefix}Shift+${event.key}`);
  return spellings;
}

const table = new Map(
  commands.flatMap((command) => command.keys.map((keys) => [keys, command.name] as const)),
);

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && /^(checkbox|range|radio|button)$/.test(target.type));

/** Keys that mean the same wherever the cursor is. */
const EVERYWHERE = new Set(["save", "commands", "home", "call"]);
/** The clipboard has its own events, which need no permission. */
const CLIPBOARD = new Set(["copy", "paste"]);

/** Tab adds a node only where it could not move the focus: on the bare canvas. */
const onCanvas = () => document.activeElement?.classList.contains("canvas") ?? false;

/** Arrows belong to what has the focus; they step through the rewrites where nothing else needs them. */
function isFree(name: string): boolean {
  const { activeElement: focused } = document;
  const idle = !focused || focused === document.body || onCanvas();
  const inFilm = focused?.closest(".rewrites") && !(focused instanceof HTMLInputElement);
  return command(name).enabled(app.getState()) && (idle || Boolean(inFilm));
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const name = spelled(event)
    .map((keys) => table.get(keys))
    .find((found) => found !== undefined);
  if (!name || CLIPBOARD.has(name)) return;
  const modified = event.ctrlKey || event.metaKey;
  if (isTyping(event.target) && !(EVERYWHERE.has(name) && modified)) return;
  if (event.key === "Tab" && !onCanvas()) return;
  if (event.key.startsWith("Arrow") && !isFree(name)) return;
  const { overlay, quickAdd } = app.getState();
  if ((overlay || quickAdd) && name !== "deselect" && !EVERYWHERE.has(name)) return;
  event.preventDefault();
  invoke(name);
}

const blocked = (event: Event) =>
  isTyping(event.target) ||
  app.getState().overlay !== null ||
  (window.getSelection()?.toString() ?? "") !== "";

function onCopy(event: ClipboardEvent): void {
  const text = blocked(event) ? "" : copyText();
  if (!text) return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
  if (event.type === "cut") deleteSelection();
}

function onPaste(event: ClipboardEvent): void {
  if (isTyping(event.target) || app.getState().overlay !== null) return;
  const text = event.clipboardData?.getData("text/plain");
  if (!text) return;
  event.preventDefault();
  pasteText(text);
}

export function listenToKeys(): () => void {
  document.addEventListener("keydown", onKeyDown);
  document.addEventListener("copy", onCopy);
  document.addEventListener("cut", onCopy);
  document.addEventListener("paste", onPaste);
  return () => {
    document.removeEventListener("keydown", onKeyDown);
    document.removeEventListener("copy", onCopy);
    document.removeEventListener("cut", onCopy);
    document.removeEventListener("paste", onPaste);
  };
}
