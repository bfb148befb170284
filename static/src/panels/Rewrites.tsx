import { type CSSProperties, useEffect, useRef, useState } from "react";
import { invoke } from "../commands";
import { CommandButton } from "../controls/CommandButton";
import { Figure } from "../controls/Figure";
import { Icon } from "../controls/Icon";
import { Switch } from "../controls/Switch";
import { useApp } from "../controls/useApp";
import {
  chosenRow,
  type Film,
  type FilmFailure,
  isFiltered,
  isOutdated,
  lawWords,
  progressOf,
  type Row,
  rowsOf,
  type Step,
  stepAt,
} from "../store/film";
import { showCount, showDuration } from "../store/number";
import { goTo, setStrict } from "../verbs/edit";
import { choose, filmFunction, filterSteps, goToRow, lookAt, unfold } from "../verbs/film";
import { togglePanel } from "../verbs/view";
import { StepFacts } from "./StepFacts";
import { Tags } from "./Tags";

/** The film of how the graph is rewritten before it runs: its steps, played and explained. */
export function Rewrites() {
  const film = useApp((state) => state.rewrites.film);
  const rows = useApp((state) => rowsOf(state.rewrites).length);
  const asking = useApp((state) => state.rewrites.asking);
  return (
    <section className="panel rewrites" aria-label="Rewrites" data-testid="rewrites">
      <header className="train-head">
        <Transport />
        {film && <Figures film={film} />}
        <button
          type="button"
          className="button quiet square"
          aria-label="Close the rewrites"
          onClick={() => togglePanel("rewrites")}
        >
          <Icon name="close" />
        </button>
      </header>
      <Notes />
      <div className="film-body" aria-busy={asking && film !== null}>
        <div className="film-left">
          <Filters />
          {film && rows > 0 ? <Steps film={film} /> : <NoSteps />}
        </div>
        <StepFacts />
      </div>
    </section>
  );
}

function Transport() {
  const playing = useApp((state) => state.rewrites.playing);
  const last = useApp((state) => rowsOf(state.rewrites).length);
  const here = useApp((state) => chosenRow(state.rewrites)) + 1;
  return (
    <div className="film-transport">
      <div className="button-row">
        <CommandButton name="film_back" side="top" />
        <CommandButton name="film_play" icon={playing ? "pause" : "play"} side="top" />
        <CommandButton name="film_forward" side="top" />
      </div>
      <input
        type="range"
        min={0}
        max={last}
        value={here}
        disabled={last === 0}
        aria-label="Step of the film"
        data-testid="film-slider"
        onChange={(event) => goToRow(Number(event.target.value) - 1)}
      />
      <span className="mono film-place" data-testid="film-place">
        {showCount(here)} <span className="faint">/ {showCount(last)}</span>
      </span>
    </div>
  );
}

function Figures({ film }: { film: Film }) {
  const { total, nodes, cost, seconds } = film;
  return (
    <div className="run-numbers">
      <Figure label="steps" testId="film-steps" value={total}>
        {showCount(total)}
      </Figure>
      <Figure label="nodes" testId="film-nodes" value={nodes.join(" ")}>
        {nodes.map(showCount).join(" → ")}
      </Figure>
      <Figure label="cost" testId="film-cost" value={cost.join(" ")}>
        {cost.map(showCount).join(" → ")}
      </Figure>
      <Figure label="time" testId="film-time" value={seconds}>
        {showDuration(seconds)}
      </Figure>
    </div>
  );
}

const MOST_WARNINGS = 2;

/** What is to be known of the film before one believes it. */
function Notes() {
  const film = useApp((state) => state.rewrites.film);
  const failure = useApp(({ rewrites, doc }) =>
    rewrites.failure && !isOutdated(rewrites.failure.of, doc) ? rewrites.failure : null,
  );
  const asking = useApp((state) => state.rewrites.asking);
  const outdated = useApp((state) => film !== null && isOutdated(film.of, state.doc));
  const offline = useApp((state) => state.connection !== "online");
  if (!film) return null;
  const others = film.warnings.slice(MOST_WARNINGS);
  return (
    <>
      {failure && !asking && <FailureNote failure={failure} />}
      {offline && !failure && (
        <p className="film-note warning" role="status">
          <Icon name="alert" size={14} />
          <span>The server cannot be reached. The steps that are here can still be looked at.</span>
        </p>
      )}
      {outdated && !failure && (
        <p className="film-note warning" role="status" data-testid="film-outdated">
          <Icon name="alert" size={14} />
          <span>The graph was changed: this is the film of an older one.</span>
          <CommandButton name="film_again" text="Again" tone="plain" side="top" />
        </p>
      )}
      {film.warnings.slice(0, MOST_WARNINGS).map((warning) => (
        <p className="film-note warning" key={warning}>
          <Icon name="alert" size={14} />
          <span>{warning}</span>
        </p>
      ))}
      {others.length > 0 && (
        <p className="film-note warning" title={others.join("\n")}>
          <Icon name="alert" size={14} />
          <span>{others.length} more like these</span>
        </p>
      )}
    </>
  );
}

function FailureNote({ failure }: { failure: FilmFailure }) {
  const { message, hint, node, lost } = failure;
  return (
    <div
      className={`film-note ${lost ? "warning" : "error"}`}
      role="alert"
      data-testid="film-failure"
    >
      <Icon name="alert" size={14} />
      <span>
        <strong>{message}</strong> {hint}
      </span>
      {node && (
        <button type="button" className="button plain" onClick={() => goTo(node)}>
          Show
        </button>
      )}
      <CommandButton name="film_again" text="Again" tone="plain" side="top" />
    </div>
  );
}

/** Why there is no list. */
function NoSteps() {
  const { film, asking, failure } = useApp((state) => state.rewrites);
  const filtered = useApp((state) => isFiltered(state.rewrites));
  const [come, all] = progressOf(useApp((state) => state.rewrites));
  const offline = useApp((state) => state.connection !== "online");
  const hasGraph = useApp((state) => state.doc !== null);
  const say = (title: string, text: string) => (
    <div className="film-empty" data-testid="film-empty">
      <p>{title}</p>
      <p className="quiet-text">{text}</p>
    </div>
  );
  if (!hasGraph) return say("No graph is open.", "Open one from the gallery.");
  if (asking && !film) return say("Rewriting…", "The laws are tried until none improves anything.");
  if (failure && !film)
    return (
      <div className="film-empty">
        <FailureNote failure={failure} />
      </div>
    );
  if (!film)
    return offline
      ? say("The server cannot be reached.", "The film comes when it is back.")
      : say("Rewriting…", "");
  if (filtered && come < all) return say("Searching…", `${showCount(come)} of ${showCount(all)}`);
  if (filtered) return say("No step is like that.", "Search for other words, or in all phases.");
  return say("Nothing to rewrite.", "No law makes this graph any better.");
}

function Filters() {
  const laws = useApp((state) => state.rewrites.film?.laws);
  const phase = useApp((state) => state.rewrites.phase);
  const words = useApp((state) => state.rewrites.words);
  const strict = useApp((state) => state.doc?.training?.strict ?? false);
  const hasGraph = useApp((state) => state.doc !== null);
  const phases = [...new Set(laws?.map((law) => law.phase))];
  if (phase !== null && !phases.includes(phase)) phases.push(phase);
  return (
    <div className="film-filters">
      <div className="film-search">
        <Icon name="search" size={14} />
        <input
          type="search"
          className="field"
          placeholder="Search steps"
          aria-label="Search the steps"
          data-testid="film-words"
          spellCheck={false}
          value={words}
          onChange={(event) => filterSteps({ words: event.target.value })}
        />
      </div>
      <select
        className="field"
        aria-label="Phase"
        data-testid="film-phase"
        value={phase ?? ""}
        onChange={(event) => filterSteps({ phase: event.target.value || null })}
      >
        <option value="">all phases</option>
        {phases.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <FunctionField />
      <Switch
        on={strict}
        label="Strict"
        text="Strict"
        title="Never hide a NaN or an error: laws that may are left out"
        testId="film-strict"
        disabled={!hasGraph}
        onChange={setStrict}
      />
    </div>
  );
}

/** Which function the film is of, where there is a choice. */
function FunctionField() {
  const functions = useApp((state) => state.summary.functions);
  const shown = useApp(({ rewrites }) => rewrites.function ?? rewrites.film?.function);
  if (functions.length < 2) return null;
  return (
    <select
      className="field"
      aria-label="Function"
      data-testid="film-function"
      value={shown ?? ""}
      onChange={(event) => filmFunction(event.target.value)}
    >
      {shown === undefined && <option value="" />}
      {functions.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

const ROW_HEIGHT = 46;
/** Rows beyond the edges, drawn so that scrolling shows no gap. */
const SPARE = 4;

/** The list of steps, of which only those in view are drawn. */
function Steps({ film }: { film: Film }) {
  const list = useRef<HTMLDivElement>(null);
  const rows = useApp((state) => rowsOf(state.rewrites));
  const here = useApp((state) => chosenRow(state.rewrites));
  const [[top, height], setView] = useState([0, 0]);
  const from = Math.max(0, Math.floor(top / ROW_HEIGHT) - SPARE);
  const to = Math.min(rows.length, Math.ceil((top + height) / ROW_HEIGHT) + SPARE);

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const look = () => setView([element.scrollTop, element.clientHeight]);
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other gaps
  useEffect(() => lookAt(from, to), [from, to, rows]);
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    // The steps before and after it are in view, too.
    const start = (Math.max(0, here) - 1) * ROW_HEIGHT;
    const end = start + 3 * ROW_HEIGHT;
    const { scrollTop, clientHeight } = element;
    if (start < scrollTop) element.scrollTop = start;
    else if (end > scrollTop + clientHeight) element.scrollTop = end - clientHeight;
  }, [here]);

  return (
    <div
      ref={list}
      className="film-steps"
      role="listbox"
      aria-label="Steps"
      aria-activedescendant={here >= 0 ? `step-${rows[here]?.key}` : undefined}
      data-testid="film-list"
      style={{ "--digits": `${1.1 * String(rows.length).length}ch` } as CSSProperties}
      tabIndex={0}
      onKeyDown={(event) => {
        const row = rows[here];
        const to = { Home: 0, End: rows.length - 1 }[event.key];
        if (to !== undefined) goToRow(to);
        else if (event.key === " ") invoke("film_play");
        else if (event.key === "Enter" && row && stepAt(film, row)?.inside) unfold(row.key);
        else return;
        event.preventDefault();
      }}
    >
      <div style={{ height: rows.length * ROW_HEIGHT }} role="presentation">
        <div style={{ transform: `translateY(${from * ROW_HEIGHT}px)` }} role="presentation">
          {rows.slice(from, to).map((row, at) => (
            <StepRow
              key={row.key}
              row={row}
              step={stepAt(film, row)}
              chosen={from + at === here}
              place={from + at + 1}
              of={rows.length}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

interface StepRowProps {
  row: Row;
  step: Step | undefined;
  chosen: boolean;
  place: number;
  of: number;
}

function StepRow({ row, step, chosen, place, of }: StepRowProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are with the list
    <div
      id={`step-${row.key}`}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-posinset={place}
      aria-setsize={of}
      className={`film-step${chosen ? " chosen" : ""}`}
      style={{ height: ROW_HEIGHT, paddingLeft: 10 + 20 * row.depth }}
      data-testid={`film-step-${row.key}`}
      onClick={() => choose(row.key)}
    >
      <span className="film-number mono faint">{showCount(row.position + 1)}</span>
      {step ? <StepWords row={row} step={step} /> : <span className="faint">…</span>}
    </div>
  );
}

function StepWords({ row, step }: { row: Row; step: Step }) {
  const unfolded = useApp((state) => state.rewrites.unfolded.has(row.key));
  const { rule, phase, tags, before, after, inside } = step;
  return (
    <>
      <div className="film-words">
        <span className="film-law">{lawWords(rule)}</span>
        <Tags tags={tags} />
        {inside > 0 && (
          <button
            type="button"
            className="film-inside"
            aria-expanded={unfolded}
            data-testid={`film-inside-${row.key}`}
            onClick={(event) => {
              event.stopPropagation();
              unfold(row.key);
            }}
          >
            <Icon name={unfolded ? "chevron_down" : "chevron_right"} size={12} />
            {showCount(inside)} inside
          </button>
        )}
        <span className="film-phase">{phase}</span>
      </div>
      <div className="film-algebra mono" title={`${before} → ${after}`}>
        <span>{before}</span>
        <span className="film-arrow">→</span>
        <span>{after}</span>
      </div>
      <span className="film-change mono">
        {showCount(step.nodes_before)} → {showCount(step.nodes_after)}
      </span>
      <span className="film-change mono faint">
        {showCount(step.cost_before)} → {showCount(step.cost_after)}
      </span>
    </>
  );
}
