import type { CSSProperties } from "react";
import type { Data, Value } from "../protocol";
import { shapeText, showNumber, showShort } from "../store/number";

const MOST_ROWS = 6;
const MOST_COLUMNS = 4;
/** A vector is folded into so many lines at most. */
const MOST_LINES = 3;

/** How many characters wide a cell is, the label of a sum-up, and what it says at least. */
const CELL = 6.6;
const COMPLEX_CELL = 14;
const LABEL = 7;
const LEAST_TEXT = 9;

/** A value in the least room: a number, a small table, or what sums a large one up. */
export function ValueView({ value, testId }: { value: Value | undefined; testId?: string }) {
  return (
    <div
      className={`value mono${value && !value.finite ? " not-finite" : ""}`}
      style={{ "--width": `${value ? widthOf(value) : 0}ch` } as CSSProperties}
      data-testid={testId}
    >
      {value ? <Content value={value} /> : <span className="faint">–</span>}
    </div>
  );
}

/** Room by the shape, not by the digits: a card must not twitch while its values change. */
function widthOf(value: Value): number {
  if (value.shape.length === 0) return 0;
  const [row] = rowsOf(value) ?? [];
  const cell = value.dtype.startsWith("complex") ? COMPLEX_CELL : CELL;
  return row ? row.length * cell : LABEL + Math.max(LEAST_TEXT, shapeText(value.shape).length);
}

/** The rows that are shown number by number; null for what is only summed up. */
function rowsOf({ data, shape }: Value): Data[][] | null {
  const [length = 0, columns = 0] = shape;
  if (data === null || shape.length === 0 || shape.length > 2) return null;
  if (shape.length === 2)
    return length <= MOST_ROWS && columns <= MOST_COLUMNS ? (data as Data[][]) : null;
  return length <= MOST_LINES * MOST_COLUMNS ? folded(data as Data[]) : null;
}

function Content({ value }: { value: Value }) {
  const { data, shape } = value;
  if (shape.length === 0) return <span className="value-number">{showNumber(data)}</span>;
  if (shape.includes(0)) return <span className="faint">empty {shapeText(shape)}</span>;
  const rows = rowsOf(value);
  return rows ? <Table rows={rows} /> : <Digest value={value} />;
}

function Table({ rows }: { rows: Data[][] }) {
  return (
    <table className="value-table">
      <tbody>
        {rows.map((row, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
          <tr key={at}>
            {row.map((cell, column) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
              <td key={column} title={showNumber(cell)}>
                {showShort(cell)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A vector in rows of a table's width. */
const folded = (cells: Data[]) =>
  Array.from({ length: Math.ceil(cells.length / MOST_COLUMNS) }, (_, row) =>
    cells.slice(row * MOST_COLUMNS, (row + 1) * MOST_COLUMNS),
  );

function Digest({ value }: { value: Value }) {
  const { shape, min, max, mean } = value;
  return (
    <dl className="value-digest">
      <dt>shape</dt>
      <dd>{shapeText(shape)}</dd>
      <dt>min</dt>
      <dd>{showShort(min)}</dd>
      <dt>mean</dt>
      <dd>{showShort(mean)}</dd>
      <dt>max</dt>
      <dd>{showShort(max)}</dd>
    </dl>
  );
}
