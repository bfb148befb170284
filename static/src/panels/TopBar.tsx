import { useState } from "react";
import { CommandButton } from "../controls/CommandButton";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { setTitle } from "../verbs/edit";
import { openMenu } from "../verbs/view";

/** The graph's title, and the verbs one reaches for most. */
export function TopBar() {
  const panels = useApp((state) => state.panels);
  return (
    <header className="top-bar">
      <div className="top-left">
        <button
          type="button"
          className="button quiet square"
          aria-label="All verbs"
          aria-haspopup="menu"
          data-testid="menu"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            openMenu([box.left, box.bottom + 4]);
          }}
        >
          <Icon name="menu" />
        </button>
        <Mark />
        <CommandButton name="home" text="Gallery" />
        <span className="divider" />
        <Title />
        <Stored />
      </div>
      <div className="top-middle">
        <CommandButton name="undo" />
        <CommandButton name="redo" />
        <CommandButton name="save" />
        <CommandButton name="export" />
        <span className="divider" />
        <CommandButton name="call" text="Call" tone="plain" />
        <CommandButton name="reset" text="Reset" />
      </div>
      <div className="top-right">
        <ProblemCount />
        <CommandButton name="toggle_palette" pressed={panels.palette} />
        <CommandButton name="toggle_rewrites" pressed={panels.rewrites} />
        <CommandButton name="toggle_train" pressed={panels.train && !panels.rewrites} />
        <CommandButton name="toggle_inspector" pressed={panels.inspector} />
        <span className="divider" />
        <CommandButton name="commands" />
        <CommandButton name="theme" />
        <CommandButton name="help" />
      </div>
    </header>
  );
}

function Mark() {
  return (
    <span className="mark">
      <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M8 9c8 0 3 14 8 14s0-14 8-14" />
        <circle cx="8" cy="9" r="3" />
        <circle cx="24" cy="9" r="3" />
        <circle cx="16" cy="23" r="3" />
      </svg>
      <h1 className="mark-name">Wiregrad</h1>
    </span>
  );
}

function Title() {
  const title = useApp((state) => state.doc?.title);
  const [draft, setDraft] = useState<string | null>(null);
  if (title === undefined) return <span className="quiet-text">No graph is open</span>;
  return (
    <input
      className="title-field"
      aria-label="Title of the graph"
      data-testid="title"
      spellCheck={false}
      value={draft ?? title}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={() => {
        if (draft !== null) setTitle(draft);
        setDraft(null);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") setDraft(null);
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}

/** What the server has acknowledged, and nothing rosier. */
function Stored() {
  const connection = useApp((state) => state.connection);
  const waiting = useApp((state) => state.outbox.length + state.sending);
  const open = useApp((state) => state.doc !== null);
  const offline = connection !== "online";
  const [tone, words] = offline
    ? connection === "refused"
      ? ["offline", "Signed out: open the address that the server printed"]
      : ["offline", waiting > 0 ? "Offline, changes wait" : "Offline, reconnecting…"]
    : waiting > 0
      ? ["saving", "Saving…"]
      : ["saved", "Saved"];
  if (!open && !offline) return null;
  return (
    <span className={`stored ${tone}`} role="status" data-testid="stored">
      {words}
    </span>
  );
}

function ProblemCount() {
  const problems = useApp((state) => state.summary.problems);
  if (problems.length === 0) return null;
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const text = errors > 0 ? String(errors) : String(problems.length);
  return (
    <span className={errors > 0 ? "count error" : "count warning"} data-testid="problem-count">
      <CommandButton name="next_problem" text={text} />
    </span>
  );
}
