import { type KeyboardEvent, useId, useState } from "react";
import { DataField } from "../controls/DataField";
import { useApp } from "../controls/useApp";
import { rankOf } from "../store/number";
import type { CardParam } from "../store/palette";
import {
  axesOf,
  isDefault,
  notch,
  rangeText,
  readParam,
  showParam,
  tellParam,
  toggleAxis,
  Unreadable,
} from "../store/params";

interface Props {
  param: CardParam;
  value: unknown;
  /** The dtype and rank that a `value` parameter must have. */
  dtype: string;
  rank: number | null;
  /** How many axes there are to choose from; null where that is not known. */
  axes: number | null;
  /** Whether there is a usual value to go back to. */
  hasDefault: boolean;
  /** What the server says of it. */
  error: string | null;
  onChange: (value: unknown) => void;
}

/** One parameter: its editor, what it is, what it usually is, and what is wrong with it. */
export function ParamField(props: Props) {
  const { param, value, hasDefault, error, onChange } = props;
  const id = `param-${param.name}`;
  const range = rangeText(param);
  const usual = hasDefault && (
    <Default
      text={tellParam(param, param.default)}
      {...(isDefault(param, value) ? {} : { onRestore: () => onChange(param.default) })}
    />
  );
  return (
    <div className={`param${error ? " wrong" : ""}`}>
      <label htmlFor={id} title={param.name}>
        {param.name.replaceAll("_", " ")}
      </label>
      <Editor id={id} {...props} />
      {error && (
        <p className="field-problem" role="alert">
          {error}
        </p>
      )}
      {(param.doc || range || usual) && (
        <p className="param-doc">
          {param.doc && <span className="param-fact">{param.doc}</span>}
          {range && <span className="param-fact">{range}</span>}
          {usual}
        </p>
      )}
    </div>
  );
}

function Default({ text, onRestore }: { text: string; onRestore?: () => void }) {
  if (!onRestore) return <span className="param-fact">default {text}</span>;
  return (
    <button type="button" className="param-fact restore" onClick={onRestore}>
      back to {text}
    </button>
  );
}

type EditorProps = Props & { id: string };

/** The editor of a parameter, chosen by its type. */
function Editor(props: EditorProps) {
  const { id, param, value, dtype, rank, axes, onChange } = props;
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
      return <Choice {...props} choices={dtypes ?? []} />;
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
    case "axis":
      return axes ? <Axes {...props} axes={axes} /> : <Line {...props} />;
    default:
      return param.choices ? <Choice {...props} choices={param.choices} /> : <Line {...props} />;
  }
}

/** One of a few; the usual one is among them even where it is none of these, or nothing. */
function Choice({ id, param, value, choices, onChange }: EditorProps & { choices: unknown[] }) {
  const all = [...new Set([value, param.default].filter((one) => !choices.includes(one)))];
  const offered = [...all, ...choices];
  return (
    <select
      id={id}
      className="field"
      data-testid={id}
      value={offered.indexOf(value)}
      onChange={(event) => onChange(offered[Number(event.target.value)])}
    >
      {offered.map((choice, index) => (
        <option key={String(choice)} value={index}>
          {choice === null || choice === undefined ? "none" : String(choice)}
        </option>
      ))}
    </select>
  );
}

/** The axes of the tensor that is wired in, to be pressed; none pressed are all. */
function Axes({ id, param, value, axes, onChange }: EditorProps & { axes: number }) {
  const chosen = axesOf(value, axes);
  const strays = chosen.filter((axis) => axis < 0 || axis >= axes);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a row of toggles in one line with its label
    <div className="axes" id={id} role="group" aria-label={param.name} data-testid={id}>
      <button
        type="button"
        className="axis"
        aria-pressed={chosen.length === 0}
        onClick={() => onChange(null)}
      >
        all
      </button>
      {[...Array.from({ length: axes }, (_, axis) => axis), ...strays].map((axis) => (
        <button
          key={axis}
          type="button"
          className={`axis mono${strays.includes(axis) ? " stray" : ""}`}
          aria-pressed={chosen.includes(axis)}
          onClick={() => onChange(toggleAxis(value, axis, axes))}
        >
          {axis}
        </button>
      ))}
    </div>
  );
}

const PLACEHOLDERS: Record<string, string> = {
  axis: "all axes",
  ints: "such as 2, 3",
  shape: "such as ?, 2",
  index: "such as 0, 1:3",
};

/** A line of text that is read as it is typed; what cannot be read is said, and not passed on. */
function Line({ id, param, value, onChange }: EditorProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const problemId = useId();
  const numeric = param.type === "int" || param.type === "float";
  const take = (text: string) => {
    setDraft(text);
    try {
      const next = readParam(param, text);
      setProblem(null);
      if (JSON.stringify(next) !== JSON.stringify(value)) onChange(next);
    } catch (failure) {
      if (!(failure instanceof Unreadable)) throw failure;
      setProblem(failure.message);
    }
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!sign || !numeric) return;
    const now = Number(event.currentTarget.value);
    const next = notch(now, sign, param.type === "int", event.shiftKey);
    if (next === null) return;
    event.preventDefault();
    take(String(Math.min(param.max ?? next, Math.max(param.min ?? next, next))));
  };
  return (
    <div className="data-field">
      <input
        id={id}
        className={`field mono${problem ? " wrong" : ""}`}
        data-testid={id}
        aria-invalid={problem !== null}
        aria-describedby={problem ? problemId : undefined}
        inputMode={numeric ? "decimal" : "text"}
        placeholder={PLACEHOLDERS[param.type] ?? (param.default === null ? "none" : "")}
        spellCheck={false}
        value={draft ?? showParam(value)}
        onChange={(event) => take(event.target.value)}
        onBlur={() => {
          setDraft(null);
          setProblem(null);
        }}
        onKeyDown={onKeyDown}
      />
      {problem && (
        <p className="field-problem" id={problemId} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
