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
  if (typeof value === "object" && value !== null && "re" in value && "im" in value) {
    const { re, im } = value as { re: number; im: number };
    return `${showNumber(re)}${im < 0 ? "−" : "+"}${showNumber(Math.abs(im))}i`;
  }
  return "–";
}

/** A number in about six characters, for the cells of a table. */
export function showShort(value: unknown): string {
  if (typeof value !== "number" || Number.isInteger(value)) return showNumber(value);
  const size = Math.abs(value);
  if (size >= 1e4) return trimZeros(value.toExponential(1)).replace("+", "");
  if (size !== 0 && size < 1e-2) return value.toExponential(0);
  return trimZeros(value.toPrecision(3));
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

/** Numbers as text to edit: rows on lines, JSON from rank three on. */
export function showData(data: unknown): string {
  if (data === null || data === undefined) return "";
  if (!Array.isArray(data)) return typeof data === "object" ? JSON.stringify(data) : String(data);
  if (rankOf(data) > 2 || data.length === 0) return JSON.stringify(data);
  const rows = (rankOf(data) === 2 ? data : [data]) as unknown[][];
  const cells = rows.map((row) => row.map((cell) => showData(cell)));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? "").length)),
  );
  return cells
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "))
    .join("\n");
}

export interface ValueRules {
  /** How many axes the value must have; null when any will do. */
  rank: number | null;
  dtype: string;
}

export type Parsed = { ok: true; data: Data } | { ok: false; message: string };

const wrong = (message: string): Parsed => ({ ok: false, message });

/** Read what a person typed: a number, rows of numbers, or JSON. */
export function parseData(text: string, rules: ValueRules): Parsed {
  const trimmed = text.trim();
  if (trimmed === "") return wrong("Type a number, or rows of numbers.");
  const data = /^[[{]/.test(trimmed) ? parseJson(trimmed) : parseRows(trimmed, rules.rank);
  if (typeof data === "string") return wrong(data);
  const problem = checkData(data.value, rules);
  return problem ? wrong(problem) : { ok: true, data: data.value };
}

function parseJson(text: string): { value: Data } | string {
  try {
    // Commas between cells are optional here, as they are in rows.
    const spaced = text.replace(/([\d.\]e])\s+(?=[-+\d.[])/gi, "$1, ");
    return { value: JSON.parse(spaced.replace(/,\s*(?=[\]}])/g, "")) as Data };
  } catch {
    return "These brackets do not close, or something between them is no number.";
  }
}

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
      if (cell === null) return `“${word}” is no number.`;
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

function parseCell(word: string): Data | null {
  if (/^(true|false)$/i.test(word)) return word.toLowerCase() === "true";
  const value = Number(word.replace("−", "-"));
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
  if (typeof cell === "string") return `“${cell}” is no number.`;
  if (/^u?int/.test(dtype) && typeof cell === "number" && !Number.isInteger(cell)) {
    return `${dtype} holds whole numbers; ${cell} is none.`;
  }
  return null;
}

function axes(rank: number): string {
  return ["a single number", "one row of numbers", "rows of numbers"][rank] ?? `${rank} axes`;
}
