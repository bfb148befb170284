import { DataField } from "../controls/DataField";
import { ValueView } from "../controls/ValueView";
import type { GraphNode } from "../store/document";
import type { Facts } from "../store/facts";
import { shownValue } from "../store/facts";
import { rankOf, shapeText } from "../store/number";
import { changeParam } from "../verbs/edit";

const MOST_CELLS = 64;

interface Props {
  id: string;
  node: GraphNode;
  facts: Facts;
}

const cells = (data: unknown): number =>
  Array.isArray(data) ? data.reduce((sum: number, item) => sum + cells(item), 0) : 1;

/** The lower part of a card: what it holds, to be edited, and what it came to. */
export function NodeBody({ id, node, facts }: Props) {
  const value = shownValue(facts);
  const params = node.params ?? {};
  const drawn = typeof params.initialiser === "string";
  const editable =
    "value" in params && !drawn && node.kind !== "op" && cells(params.value) <= MOST_CELLS;
  const field = editable && (
    <DataField
      data={params.value}
      rules={{ rank: rankOfParams(params), dtype: String(params.dtype ?? "float64") }}
      label={`Value of ${node.name ?? node.kind}`}
      testId={`field-${id}`}
      placeholder="value"
      onChange={(data) => changeParam(id, "value", data)}
    />
  );
  if (node.kind === "shared") {
    return (
      <div className="card-body held">
        <span className="body-label">start</span>
        {field || <span className="body-text mono">{startText(params)}</span>}
        <span className="body-label">now</span>
        <ValueView value={value} testId={`value-${id}`} />
      </div>
    );
  }
  if (field) {
    return (
      <div className="card-body" data-testid={`value-${id}`}>
        {field}
      </div>
    );
  }
  if (!value) return null;
  return (
    <div className="card-body">
      <ValueView value={value} testId={`value-${id}`} />
    </div>
  );
}

/** How many axes a typed value must have; a scalar field stays one while it is empty. */
function rankOfParams(params: Record<string, unknown>): number | null {
  if (Array.isArray(params.shape)) return params.shape.length;
  return params.value === null || params.value === undefined ? null : rankOf(params.value);
}

function startText(params: Record<string, unknown>): string {
  if (typeof params.initialiser === "string") {
    const shape = Array.isArray(params.shape) ? (params.shape as number[]) : [];
    return `${params.initialiser} ${shapeText(shape)}`;
  }
  return "many numbers";
}
