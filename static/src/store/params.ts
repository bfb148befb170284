// Parameters as a person reads and types them.

import type { GraphNode } from "./document";
import type { Card, CardParam } from "./palette";

/** Thrown by a reader: the sentence to show under the field. */
export class Unreadable extends Error {}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

export const isDefault = (param: CardParam, value: unknown): boolean =>
  value === undefined || isSame(value, param.default);

/** What a node has at a parameter. */
export const paramOf = (node: GraphNode, param: CardParam): unknown =>
  node.params && param.name in node.params ? node.params[param.name] : param.default;

/** The text that a field shows; empty for no value. */
export function showParam(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (!Array.isArray(value)) return String(value);
  if (value.length === 0) return "()";
  return value.map((item) => (item === null ? "?" : String(item))).join(", ");
}

/** The value in a sentence or on a card, where its field is not beside it. */
export function tellParam(param: CardParam, value: unknown): string {
  if (value === null || value === undefined) return param.type === "axis" ? "all axes" : "none";
  if (!Array.isArray(value)) return param.type === "index" ? `[${value}]` : String(value);
  const items = value.map((item) => (item === null ? "?" : String(item)));
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
}

/** What a node is set to, as far as it is not as usual: `axis=1`, `keepdims`. */
export function settingsOf(card: Card | undefined, node: GraphNode): string[] {
  const ports = new Set(card?.inputs.map((input) => input.name));
  if (!card?.op) return [];
  return card.params.flatMap((param) => {
    const value = paramOf(node, param);
    if (ports.has(param.name) || isDefault(param, value)) return [];
    if (param.type === "index") return [tellParam(param, value)];
    return [value === true ? param.name : `${param.name}=${tellParam(param, value)}`];
  });
}

/** Between which numbers a parameter lies, in words; empty where anything goes. */
export function rangeText({ min, max }: CardParam): string {
  if (min !== null && max !== null) return `${min} to ${max}`;
  if (min !== null) return `at least ${min}`;
  return max !== null ? `at most ${max}` : "";
}

/** The value of what a person typed; throws Unreadable. */
export function readParam(param: CardParam, text: string): unknown {
  switch (param.type) {
    case "int":
    case "float":
      return readNumber(param, text);
    case "axis":
    case "ints":
    case "shape":
      return readList(param, text);
    default:
      return text;
  }
}

function readNumber(param: CardParam, text: string): unknown {
  if (text.trim() === "") {
    if (param.default === null) return null;
    throw new Unreadable("A number is needed here.");
  }
  return readOne(param, text.trim());
}

function readOne(param: CardParam, word: string): number {
  const value = Number(word.replace("−", "-"));
  const { type, min, max } = param;
  if (!Number.isFinite(value)) throw new Unreadable(`“${word}” is no number.`);
  if (type !== "float" && !Number.isInteger(value)) throw new Unreadable("A whole number, please.");
  if (min !== null && value < min) throw new Unreadable(`At least ${min}.`);
  if (max !== null && value > max) throw new Unreadable(`At most ${max}.`);
  return value;
}

/** `axis`: nothing, one or several; `ints` and `shape`: always a list, or nothing where that will do. */
function readList(param: CardParam, text: string): unknown {
  const words = text
    .replace(/[()[\]]/g, " ")
    .split(/[\s,×x]+/)
    .filter(Boolean);
  const items = words.map((word) =>
    param.type === "shape" && /^(\?|none)$/i.test(word) ? null : readOne(param, word),
  );
  if (param.type === "axis") return items.length > 1 ? items : (items[0] ?? null);
  return text.trim() === "" && param.default === null ? null : items;
}

/** An axis put in or taken out of the chosen ones; none chosen are all. */
export function toggleAxis(value: unknown, axis: number, rank: number): unknown {
  const chosen = axesOf(value, rank);
  const next = chosen.includes(axis) ? chosen.filter((one) => one !== axis) : [...chosen, axis];
  next.sort((a, b) => a - b);
  return next.length > 1 ? next : (next[0] ?? null);
}

/** The chosen axes counted from the front. */
export function axesOf(value: unknown, rank: number): number[] {
  if (value === null || value === undefined) return [];
  const list = (Array.isArray(value) ? value : [value]) as number[];
  return list.map((axis) => (axis < 0 ? axis + rank : axis));
}

/** An arrow key's notch: whole numbers by one, others by a tenth of their size. */
export function notch(value: number, sign: number, whole: boolean, large: boolean): number | null {
  if (!Number.isFinite(value)) return null;
  const times = large ? 10 : 1;
  if (whole) return value + sign * times;
  const size = value === 0 ? 0.1 : 10 ** Math.floor(Math.log10(Math.abs(value)));
  const next = value + (sign * size * times) / (value === 0 ? 1 : 10);
  return Number(next.toPrecision(12));
}
