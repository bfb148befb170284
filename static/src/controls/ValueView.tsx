import type { CSSProperties } from "react";
import type { Data, Value } from "../protocol";
import { rankOf, shapeText, showNumber, showShort } from "../store/number";

const MOST_ROWS = 6;
const MOST_COLUMNS = 4;

/** A value in the least room: a number, a small table, or what sums a large one up. */
export function ValueView({ value, testId }: { value: Value | undefined; testId?: string }) {
  // Room by the shape, not by the digits: a card must not twitch while its values change.
  const tensor = value && value.shape.length > 0 ? value : null;
  const columns = tensor ? (tensor.data ? columnsOf(tensor.shape) : 2) : 0;
  return (
    <div
      className={`value mono${value && !value.finite ? " not-finite" : ""}`}
      style={{ "--columns": columns } as CSSProperties}
      data-testid={testId}
    >
      {value ? <Content value={value} /> : <span className="faint">–</span>}
    </div>
  );
}

const columnsOf = (shape: number[]) => Math.min(MOST_COLUMNS, shape.at(-1) ?? 0);

function Content({ value }: { value: Value }) {
  const { data, shape } = value;
  if (data === null || data === undefined) return <Digest value={value} />;
  if (shape.length === 0) return <span className="value-number">{showNumber(data)}</span>;
  const rows = shape.length === 1 ? [data as Data[]] : (data as Data[][]);
  const columns = shape.at(-1) ?? 0;
  const size = shape.reduce((product, length) => product * length, 1);
  if (size === 0) return <span className="faint">empty {shapeText(shape)}</span>;
  if (rankOf(data) <= 2 && rows.length <= MOST_ROWS && columns <= MOST_COLUMNS) {
    return <Table rows={rows} />;
  }
  if (shape.length === 1 && size <= 3 * MOST_COLUMNS)
    return <Table rows={folded(data as Data[])} />;
  return <Digest value={value} />;
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
