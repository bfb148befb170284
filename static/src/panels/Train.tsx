import { CommandButton } from "../controls/CommandButton";
import { DataField } from "../controls/DataField";
import { Figure } from "../controls/Figure";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import type { RunInfo } from "../protocol";
import { isLive } from "../store/app";
import { liveInputs } from "../store/document";
import { showCount, showDuration, showNumber } from "../store/number";
import { changeParam, changeTraining } from "../verbs/edit";
import { togglePanel } from "../verbs/view";
import { CostChart } from "./CostChart";
import { SpeedField } from "./SpeedField";

const STATES: Record<string, string> = {
  starting: "Starting",
  compiling: "Compiling",
  running: "Training",
  paused: "Paused",
  stopped: "Stopped",
  done: "Done",
  failed: "Failed",
  lost: "Lost",
};

/** Training: its controls, what may be changed while it runs, and the cost as it falls. */
export function Train() {
  const wanted = useApp(({ panels }) => panels.train && !panels.rewrites);
  const useful = useApp((state) => state.summary.trainable || state.run !== null);
  const open = wanted && useful;
  return (
    <section className={`panel train${open ? "" : " folded"}`} aria-label="Training">
      <header className="train-head">
        <TrainButtons />
        <RunNumbers />
        <button
          type="button"
          className="button quiet square"
          disabled={!useful}
          aria-label={open ? "Fold the train panel" : "Unfold the train panel"}
          aria-expanded={open}
          onClick={() => togglePanel("train")}
        >
          <Icon name={open ? "chevron_down" : "chevron_up"} />
        </button>
      </header>
      {open && (
        <div className="train-body">
          <Settings />
          <div className="train-chart">
            <CostChart />
            <div className="chart-tools">
              <LogButton />
            </div>
          </div>
        </div>
      )}
    </section>
  );
}

function LogButton() {
  const log = useApp((state) => state.logScale);
  return <CommandButton name="log_scale" text="log y" tone="quiet" pressed={log} side="top" />;
}

function TrainButtons() {
  const run = useApp((state) => state.run);
  const running = isLive(run) && run?.state !== "paused";
  const [text, icon] = !isLive(run)
    ? ["Train", "play"]
    : running
      ? ["Pause", "pause"]
      : ["Resume", "play"];
  return (
    <div className="button-row">
      <CommandButton name="train" text={text} icon={icon} tone="primary" side="top" />
      <CommandButton name="train_step" side="top" />
      <CommandButton name="train_stop" side="top" />
      <CommandButton name="train_reset" side="top" />
    </div>
  );
}

function RunNumbers() {
  const run = useApp((state) => state.run);
  const pace = useApp((state) => state.stepsPerSecond);
  const stale = useApp((state) => state.runStale);
  const summary = useApp((state) => state.summary);
  const open = useApp((state) => state.doc !== null);
  if (!open) return null;
  if (!run) {
    const why = summary.problem ?? "Choose a cost in the inspector to train this graph.";
    return (
      <p className="train-problem quiet-text">{summary.trainable ? "Ready to train." : why}</p>
    );
  }
  return (
    <div className="run-numbers" aria-live="off">
      <span className={`state state-${run.state}`} data-testid="run-state">
        {STATES[run.state] ?? run.state}
      </span>
      <Figure label="step" testId="run-step" value={run.step} of={`/ ${showCount(run.steps)}`}>
        {showCount(run.step)}
      </Figure>
      <Figure label="cost" testId="run-cost" value={run.cost}>
        {run.cost === null ? "–" : showNumber(run.cost)}
      </Figure>
      <Figure label="steps/s" testId="run-pace" value={pace}>
        {paceText(run, pace)}
      </Figure>
      <Figure label="time" testId="run-time" value={run.seconds}>
        {showDuration(run.seconds)}
      </Figure>
      {run.reason && <span className="run-reason">{run.reason}</span>}
      {stale && (
        <span className="run-reason" title="Start over to train the graph as it is now.">
          trains the graph as it was when it started
        </span>
      )}
    </div>
  );
}

/** The speed it has, or the speed it had on the whole. */
function paceText(run: RunInfo, latest: number): string {
  const whole = run.seconds > 0 ? run.step / run.seconds : 0;
  const pace = run.state === "running" ? latest : whole;
  if (pace <= 0) return "–";
  return pace < 10 ? pace.toFixed(1) : showCount(pace);
}

/** What is set before a run, and the inputs that it listens to while it runs. */
function Settings() {
  const doc = useApp((state) => state.doc);
  const live = useApp((state) => isLive(state.run));
  if (!doc) return <div className="train-settings" />;
  const inputs = liveInputs(doc);
  inputs.sort((a, b) => firstRate(doc.nodes[b]?.name) - firstRate(doc.nodes[a]?.name));
  return (
    <div className="train-settings">
      {inputs.map((id) => {
        const node = doc.nodes[id];
        return (
          <div className="inline-field" key={id}>
            <span title={live ? "Takes effect between two steps" : undefined}>
              {(node?.name ?? id).replaceAll("_", " ")}
            </span>
            <DataField
              data={node?.params?.value}
              rules={{ rank: 0, dtype: String(node?.params?.dtype ?? "float64") }}
              label={node?.name ?? id}
              testId={`live-${node?.name ?? id}`}
              onChange={(value) => changeParam(id, "value", value)}
            />
          </div>
        );
      })}
      <SpeedField />
      <div className="inline-field">
        <span>steps</span>
        <DataField
          data={doc.training?.steps ?? 1000}
          rules={{ rank: 0, dtype: "int64" }}
          label="Steps of a run"
          testId="training-steps"
          onChange={(value) => changeTraining("steps", value)}
        />
      </div>
      <div className="inline-field">
        <span>seed</span>
        <DataField
          data={doc.training?.seed ?? 0}
          rules={{ rank: 0, dtype: "int64" }}
          label="Seed of a run"
          testId="training-seed"
          onChange={(value) => changeTraining("seed", value)}
        />
      </div>
    </div>
  );
}

/** The learning rate first: it is what one reaches for. */
const firstRate = (name: string | undefined) => (name === "learning_rate" ? 1 : 0);
