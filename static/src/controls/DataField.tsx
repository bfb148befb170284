import { type KeyboardEvent, useId, useRef, useState } from "react";
import { parseData, showData, type ValueRules } from "../store/number";
import { notch } from "../store/params";
import { Switch } from "./Switch";

interface Props {
  data: unknown;
  rules: ValueRules;
  label: string;
  testId: string;
  onChange: (data: unknown) => void;
  placeholder?: string;
  maxRows?: number;
}

/** A number, or rows of numbers, as text; what cannot be read is said, and not passed on. */
export function DataField(props: Props) {
  const { data, rules, label, testId, onChange, placeholder, maxRows = 6 } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const problemId = useId();
  const sent = useRef<unknown>(undefined);
  const text = draft ?? showData(data);

  const type = (next: string) => {
    setDraft(next);
    const parsed = parseData(next, rules);
    setProblem(parsed.ok ? null : parsed.message);
    if (!parsed.ok || JSON.stringify(parsed.data) === JSON.stringify(sent.current ?? data)) return;
    sent.current = parsed.data;
    onChange(parsed.data);
  };
  const leave = () => {
    setDraft(null);
    setProblem(null);
    sent.current = undefined;
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key === "Escape" || (event.key === "Enter" && isSingle)) {
      event.currentTarget.blur();
      event.stopPropagation();
    }
    const up = event.key === "ArrowUp";
    if (isSingle && (up || event.key === "ArrowDown")) {
      const next = notch(Number(text), up ? 1 : -1, /int/.test(rules.dtype), event.shiftKey);
      if (next !== null) {
        event.preventDefault();
        type(String(next));
      }
    }
  };

  const isSingle = rules.rank === 0 || (rules.rank === null && !Array.isArray(data));
  const shared = {
    className: `field mono nodrag nopan nowheel${problem ? " wrong" : ""}`,
    "data-testid": testId,
    "aria-label": label,
    "aria-invalid": problem !== null,
    "aria-describedby": problem ? problemId : undefined,
    spellCheck: false,
    placeholder: placeholder ?? "",
    value: text,
    onFocus: () => setDraft(showData(data)),
    onBlur: leave,
    onKeyDown,
  };
  if (rules.dtype === "bool" && isSingle) {
    return (
      <Switch
        on={data === true}
        label={label}
        text={String(data === true)}
        testId={testId}
        onChange={onChange}
      />
    );
  }
  const lines = text.split("\n");
  return (
    <div className="data-field">
      {isSingle ? (
        <input {...shared} inputMode="decimal" onChange={(event) => type(event.target.value)} />
      ) : (
        <textarea
          {...shared}
          rows={Math.min(maxRows, Math.max(1, lines.length))}
          cols={Math.min(28, Math.max(8, ...lines.map((line) => line.length)))}
          wrap="off"
          onChange={(event) => type(event.target.value)}
        />
      )}
      {problem && (
        <p className="field-problem" id={problemId} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
