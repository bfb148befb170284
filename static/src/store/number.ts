import type { Data } from "../protocol";

/** A number as a person reads it: six significant digits, no noise. */
export function showNumber(value: unknown): string {
  if (typeof value === "string") return value === "Infinity" ? "∞" : value.replace("Infinity", "∞");
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e7 || size < 1e-4)) return trimZeros(value.toExponential(3));
    return trimZeros(value.toPrecision(6));
  }
  return isComplex(value) ? showComplex(value, showNumber) : "–";
}

interface Complex {
  re: unknown;
  im: unknown;
}

const isComplex = (value: unknown): value is Complex =>
  typeof value === "object" && value !== null && "re" in value && "im" in value;

/** `1+2i`; the parts may be words, such as NaN. */
function showComplex({ re, im }: Complex, show: (part: unknown) => string): string {
  const part = show(im);
  return /^[-−]/.test(part) ? `${show(re)}−${part.slice(1)}i` : `${show(re)}+${part}i`;
}

/** A number in about six characters, a complex one in two such, for the cells of a table. */
export function showShort(value: unknown): string {
  if (isComplex(value)) return showComplex(value, showShort);
  if (typeof value !== "number" || Number.isInteger(value)) return showNumber(value);
  const size = Math.abs(value);
  if (size >= 1e4) return trimZeros(value.toExponential(1)).replace("+", "");
  if (size !== 0 && size < 1e-2) return value.toExponential(0);
  const text = trimZeros(value.toPrecision(3));
  return text.length > 6 ? trimZeros(value.toPrecision(2)) : text;
}

function trimZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

export function showDuration(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toPrecision(3).replace(/\.0+$/, "")} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function showCount(count: number): string {
  return Math.round(count).toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** A shape as Python writes it; an axis of unknown length is a question mark. */
export function shapeText(shape: readonly (number | null)[]): string {
  if (shape.length === 0) return "scalar";
  const lengths = shape.map((length) => length ?? "?").join(", ");
  return shape.length === 1 ? `(${lengths},)` : `(${lengths})`;
}

export function rankOf(data: unknown): number {
  let rank = 0;
  for (let here = data; Array.isArray(here); here = here[0]) rank++;
  return rank;
}

/** Numbers as text to edit: rows on lines, in brackets from rank three on. */
export function showData(data: unknown): string {
  if (data === null || data === undefined) return "";
  if (isComplex(data)) return showComplex(data, String);
  if (!Array.isArray(data)) return String(data);
  if (rankOf(data) > 2 || data.length === 0) return bracketed(data, ",\n ");
  const rows = (rankOf(data) === 2 ? data : [data]) as unknown[][];
  const cells = rows.map((row) => row.map((cell) => showData(cell)));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? "").length)),
  );
  return cells
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "))
    .join("\n");
}

function bracketed(data: unknown, between = ", "): string {
  if (!Array.isArray(data)) return showData(data);
  return `[${data.map((item) => bracketed(item)).join(between)}]`;
}

export interface ValueRules {
  /** How many axes the value must have; null when any will do. */
  rank: number | null;
  dtype: string;
}

export type Parsed = { ok: true; data: Data } | { ok: false; message: string };

const wrong = (message: string): Parsed => ({ ok: false, message });

/** Read what a person typed: a number, rows of numbers, or nested brackets. */
export function parseData(text: string, rules: ValueRules): Parsed {
  const trimmed = text.trim();
  if (trimmed === "") return wrong("Type a number, or rows of numbers.");
  const data = trimmed.startsWith("[") ? parseNested(trimmed) : parseRows(trimmed, rules.rank);
  if (typeof data === "string") return wrong(data);
  const problem = checkData(data.value, rules);
  return problem ? wrong(problem) : { ok: true, data: data.value };
}

const UNCLOSED = "These brackets do not close.";

/** Commas between cells are optional here, as they are in rows. */
function parseNested(text: string): { value: Data } | string {
  const open: Data[][] = [];
  let closed: Data | null = null;
  for (const [word] of text.matchAll(/[[\]]|[^\s,;[\]]+/g)) {
    if (closed !== null) return UNCLOSED;
    if (word === "[") open.push([]);
    else if (word === "]") {
      const list = open.pop();
      const outer = open.at(-1);
      if (!list) return UNCLOSED;
      if (outer) outer.push(list);
      else closed = list;
    } else {
      const cell = parseCell(word);
      if (cell === null) return noNumber(word);
      open.at(-1)?.push(cell);
    }
  }
  return closed === null ? UNCLOSED : { value: closed };
}

const noNumber = (word: string) => `“${word}” is no number.`;

function parseRows(text: string, rank: number | null): { value: Data } | string {
  const lines = text
    .split(/[\n;]+/)
    .map((line) => line.trim())
    .filter(Boolean);
  const rows: Data[][] = [];
  for (const line of lines) {
    const row: Data[] = [];
    for (const word of line.split(/[\s,]+/).filter(Boolean)) {
      const cell = parseCell(word);
      if (cell === null) return noNumber(word);
      row.push(cell);
    }
    rows.push(row);
  }
  const first = rows[0] ?? [];
  const natural = rows.length > 1 ? 2 : first.length > 1 ? 1 : 0;
  const wanted = rank === null || natural > rank ? natural : Math.min(rank, 2);
  if (wanted === 2) return { value: rows };
  if (wanted === 1) return { value: first };
  return { value: first[0] as Data };
}

const COMPLEX = /^(?<re>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?=[-+]))?(?<im>.*)[ij]$/i;

function parseCell(word: string): Data | null {
  if (/^(true|false)$/i.test(word)) return word.toLowerCase() === "true";
  const text = word.replaceAll("−", "-");
  const { re = "0", im } = COMPLEX.exec(text)?.groups ?? {};
  if (im === undefined) return finite(text);
  const parts = { re: finite(re), im: finite(/\d/.test(im) ? im : `${im}1`) };
  return parts.re === null || parts.im === null ? null : (parts as Data);
}

function finite(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function checkData(data: Data, { rank, dtype }: ValueRules): string | null {
  const found = rankOf(data);
  if (rank !== null && found !== rank) return `Expected ${axes(rank)}, got ${axes(found)}.`;
  const shape: number[] = [];
  for (let here: Data | undefined = data; Array.isArray(here); here = here[0])
    shape.push(here.length);
  return checkCells(data, shape, dtype);
}

function checkCells(data: Data, shape: number[], dtype: string): string | null {
  const [length, ...rest] = shape;
  if (length === undefined) return checkCell(data, dtype);
  if (!Array.isArray(data) || data.length !== length) {
    return "Rows must all have the same number of cells.";
  }
  for (const item of data) {
    const problem = checkCells(item, rest, dtype);
    if (problem) return problem;
  }
  return null;
}

function checkCell(cell: Data, dtype: string): string | null {
  if (Array.isArray(cell)) return "Rows must all have the same number of cells.";
  if (typeof cell === "string") return noNumber(cell);
  if (isComplex(cell) && !dtype.startsWith("complex")) {
    return `${dtype} holds real numbers; ${showData(cell)} is none.`;
  }
  if (/^u?int/.test(dtype) && typeof cell === "number" && !Number.isInteger(cell)) {
    return `${dtype} holds whole numbers; ${cell} is none.`;
  }
  return null;
}

function axes(rank: number): string {
  return ["a single number", "one row of numbers", "rows of numbers"][rank] ?? `${rank} axes`;
}
