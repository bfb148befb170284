import { useState } from "react";
import { DataField } from "../controls/DataField";
import { useApp } from "../controls/useApp";
import { rankOf } from "../store/number";
import type { CardParam } from "../store/palette";

interface Props {
  param: CardParam;
  value: unknown;
  /** The dtype and rank that a `value` parameter must have. */
  dtype: string;
  rank: number | null;
  onChange: (value: unknown) => void;
}

/** The editor of one parameter, chosen by its type. */
export function ParamField({ param, value, dtype, rank, onChange }: Props) {
  const id = `param-${param.name}`;
  return (
    <div className="param">
      <label htmlFor={id} title={param.doc}>
        {param.name.replaceAll("_", " ")}
      </label>
      <Editor id={id} param={param} value={value} dtype={dtype} rank={rank} onChange={onChange} />
      {param.doc && <p className="param-doc">{param.doc}</p>}
    </div>
  );
}

type EditorProps = Props & { id: string };

function Editor(props: EditorProps) {
  const { id, param, value, dtype, rank, onChange } = props;
  const dtypes = useApp((state) => state.palette?.dtypes);
  switch (param.type) {
    case "bool":
      return (
        <DataField
          data={value === true}
          rules={{ rank: 0, dtype: "bool" }}
          label={param.name}
          testId={id}
          onChange={onChange}
        />
      );
    case "dtype":
      return <Choice id={id} value={value} choices={dtypes ?? []} onChange={onChange} />;
    case "string":
      if (param.choices) {
        return <Choice id={id} value={value} choices={param.choices} onChange={onChange} />;
      }
      return <Line {...props} show={String} read={(text) => text} />;
    case "value":
      return (
        <DataField
          data={value}
          rules={{ rank: rank ?? (value === null ? null : rankOf(value)), dtype }}
          label={param.name}
          testId={id}
          placeholder="a number, or rows of numbers"
          maxRows={10}
          onChange={onChange}
        />
      );
    case "int":
    case "float":
      return <Line {...props} show={showOne} read={(text) => readNumber(text, param)} />;
    default:
      return <Line {...props} show={showList} read={(text) => readList(text, param.type)} />;
  }
}

interface ChoiceProps {
  id: string;
  value: unknown;
  choices: unknown[];
  onChange: (value: unknown) => void;
}

function Choice({ id, value, choices, onChange }: ChoiceProps) {
  const at = choices.indexOf(value);
  return (
    <select
      id={id}
      className="field"
      data-testid={id}
      value={at}
      onChange={(event) => onChange(choices[Number(event.target.value)])}
    >
      {at < 0 && <option value={-1}>{value === null ? "none" : String(value ?? "–")}</option>}
      {choices.map((choice, index) => (
        <option key={String(choice)} value={index}>
          {choice === null ? "none" : String(choice)}
        </option>
      ))}
    </select>
  );
}

/** Thrown by a reader: the sentence to show under the field. */
class Unreadable extends Error {}

interface LineProps extends EditorProps {
  show: (value: unknown) => string;
  read: (text: string) => unknown;
}

function Line({ id, param, value, onChange, show, read }: LineProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const take = (text: string) => {
    setDraft(text);
    try {
      const next = read(text);
      setProblem(null);
      if (JSON.stringify(next) !== JSON.stringify(value)) onChange(next);
    } catch (failure) {
      if (!(failure instanceof Unreadable)) throw failure;
      setProblem(failure.message);
    }
  };
  return (
    <div className="data-field">
      <input
        id={id}
        className={`field mono${problem ? " wrong" : ""}`}
        data-testid={id}
        aria-invalid={problem !== null}
        placeholder={PLACEHOLDERS[param.type] ?? ""}
        spellCheck={false}
        value={draft ?? show(value)}
        onChange={(event) => take(event.target.value)}
        onBlur={() => {
          setDraft(null);
          setProblem(null);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
        }}
      />
      {problem && (
        <p className="field-problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

const PLACEHOLDERS: Record<string, string> = {
  axis: "all axes",
  ints: "such as 0, 1",
  shape: "such as ?, 2",
};

const showOne = (value: unknown) => (value === null || value === undefined ? "" : String(value));

function showList(value: unknown): string {
  if (value === null || value === undefined) return "";
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) return "()";
  return list.map((item) => (item === null ? "?" : String(item))).join(", ");
}

function readNumber(text: string, { type, default: fallback, min, max }: CardParam): unknown {
  if (text.trim() === "") {
    if (fallback === null) return null;
    throw new Unreadable("A number is needed here.");
  }
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Unreadable(`“${text}” is no number.`);
  if (type === "int" && !Number.isInteger(value)) throw new Unreadable("A whole number, please.");
  if (min !== null && min !== undefined && value < min) throw new Unreadable(`At least ${min}.`);
  if (max !== null && max !== undefined && value > max) throw new Unreadable(`At most ${max}.`);
  return value;
}

/** `axis`: nothing, one or several; `ints` and `shape`: always a list. */
function readList(text: string, type: string): unknown {
  const words = text
    .replace(/[()[\]]/g, " ")
    .split(/[\s,×x]+/)
    .filter(Boolean);
  const items = words.map((word) => {
    if (type === "shape" && (word === "?" || word === "null")) return null;
    const value = Number(word);
    if (!Number.isInteger(value)) throw new Unreadable(`“${word}” is no whole number.`);
    return value;
  });
  if (type !== "axis") return items;
  if (items.length === 0) return null;
  return items.length === 1 ? items[0] : items;
}
