import type { Patch, RunFramePush, RunInfo } from "../protocol";
import { app, facts, isLive, notify, series, takeReport } from "../store/app";
import { edgeInto, liveInputs } from "../store/document";
import { pairsOf } from "../store/series";
import { Refusal, request } from "../transport/socket";
import { attempt } from "./failure";
import { settled } from "./sync";

const EVERYTHING = -1;
const RESULTS = new Set(["output", "probe"]);

/** How finely a curve is asked for: as many points as a wide chart has pixels. */
const chartWidth = () => Math.round(Math.max(600, window.innerWidth * devicePixelRatio * 0.6));

export async function startRun(paused = false): Promise<void> {
  await attempt(async () => {
    await settled();
    const { graphId, speed, doc, run: old } = app.getState();
    if (!graphId || !doc) return;
    if (old) await leaveRun();
    const { run } = await request("run_start", {
      graph_id: graphId,
      steps: doc.training?.steps ?? null,
      seed: doc.training?.seed ?? null,
      device: "cpu",
      set: {},
      steps_per_second: speed,
      ...(paused ? { paused } : {}),
    });
    series.clear(run.epoch);
    await follow(run);
  });
}

/** Watch a run from the last point held. */
async function follow(run: RunInfo): Promise<void> {
  app.setState({ run, runStale: false, stepsPerSecond: 0 });
  const reply = await request("run_subscribe", {
    run_id: run.run_id,
    after_step: series.epoch === run.epoch ? series.lastStep : EVERYTHING,
    epoch: series.epoch,
    width: chartWidth(),
  });
  if (app.getState().run?.run_id === run.run_id) app.setState({ run: reply.run });
}

export async function leaveRun(): Promise<void> {
  const { run } = app.getState();
  app.setState({ run: null, stepsPerSecond: 0, runStale: false, streamed: new Set() });
  series.clear(0);
  if (run) await request("run_unsubscribe", { run_id: run.run_id }).catch(() => undefined);
}

/** Show a run of the list; its curve is asked for from the start. */
export const showRun = (run: RunInfo) =>
  attempt(async () => {
    await leaveRun();
    await follow(run);
  });

/** After the connection came back: the rest of the curve, no point twice and none missing. */
export async function resumeRun(): Promise<void> {
  const { run } = app.getState();
  if (run) await follow(run);
}

/** When a graph is opened, its newest run comes with it. */
export async function findRun(graphId: string): Promise<void> {
  const { runs } = await request("run_list", { graph_id: graphId });
  const [newest] = runs;
  if (app.getState().graphId === graphId && newest) await follow(newest);
}

export const controlRun = (action: "pause" | "resume" | "step" | "stop") =>
  attempt(async () => {
    const { run } = app.getState();
    if (!run) return;
    const { state } = await request("run_control", { run_id: run.run_id, action });
    const now = app.getState().run;
    if (now?.run_id === run.run_id) app.setState({ run: { ...now, state } });
  });

export async function stepRun(): Promise<void> {
  const { run } = app.getState();
  if (!isLive(run)) await startRun(true);
  await controlRun("step");
}

/** One key for the common thing: train, pause, go on. */
export async function toggleRun(): Promise<void> {
  const { run } = app.getState();
  if (!run || !isLive(run)) return startRun();
  return controlRun(run.state === "paused" ? "resume" : "pause");
}

/** Back to the beginning: no run, initial values, an empty chart. */
export const resetRun = () =>
  attempt(async () => {
    const { run, graphId } = app.getState();
    if (run && isLive(run)) await request("run_control", { run_id: run.run_id, action: "stop" });
    await leaveRun();
    if (!graphId) return;
    await settled();
    const { report } = await request("graph_reset", { graph_id: graphId });
    app.setState({ outputs: null });
    takeReport(report);
  });

export const setSpeed = (stepsPerSecond: number | null) =>
  attempt(async () => {
    app.setState({ speed: stepsPerSecond });
    const { run } = app.getState();
    if (run && isLive(run)) {
      await request("run_speed", { run_id: run.run_id, steps_per_second: stepsPerSecond });
    }
  });

/** Values changed on the canvas reach a run that is going; any other change it cannot take in. */
export function tellRun(patches: Patch[]): void {
  const { run, doc, graphId } = app.getState();
  if (!run || !doc || !isLive(run) || run.graph_id !== graphId) return;
  const live = new Set(liveInputs(doc));
  for (const { path, value } of patches) {
    const [root, id = "", part, param] = path;
    const isStrictness = root === "training" && id === "strict";
    const name = doc.nodes[id]?.name;
    if (root === "nodes" && part === "params" && param === "value" && live.has(id) && name) {
      void setInput(run, name, Number(value));
    } else if (root === "nodes" || root === "edges" || root === "functions" || isStrictness) {
      app.setState({ runStale: true });
    }
  }
}

const setInput = (run: RunInfo, name: string, value: number) =>
  attempt(async () => {
    await request("run_set", { run_id: run.run_id, name, value });
    const now = app.getState().run;
    if (now?.run_id !== run.run_id) return;
    const event = { step: Math.max(0, now.step), name, value };
    app.setState({ run: { ...now, events: [...now.events, event] } });
  });

export function takeFrame(frame: RunFramePush): void {
  const { run, graphId } = app.getState();
  if (run?.run_id !== frame.run_id) return;
  if (frame.epoch !== series.epoch) series.clear(frame.epoch);
  series.push(pairsOf(frame.points));
  const cost = series.length > 0 ? (series.values[series.length - 1] ?? null) : run.cost;
  const { epoch, state, step, steps, seconds, reason } = frame;
  app.setState({
    run: { ...run, epoch, state, step, steps, seconds, reason, cost },
    stepsPerSecond: frame.steps_per_second,
  });
  if (run.graph_id === graphId) takeValues(frame.values);
  if (isLive(run) && !isLive(app.getState().run)) void ended(run.graph_id, state, reason);
}

/** Values of results are also those of the ports that they are wired to. */
function takeValues(values: RunFramePush["values"]): void {
  const { doc, streamed } = app.getState();
  facts.values(values);
  const reached = new Set([...streamed, ...Object.keys(values)]);
  for (const [id, value] of Object.entries(values)) {
    const source = doc && RESULTS.has(doc.nodes[id]?.kind ?? "") && edgeInto(doc, [id, "value"]);
    if (!source) continue;
    facts.value(source.from, value);
    reached.add(source.from[0]);
  }
  if (reached.size !== streamed.size) app.setState({ streamed: reached });
}

async function ended(graphId: string, state: string, reason: string | null): Promise<void> {
  if (state === "failed" || state === "lost") {
    notify("error", reason ?? "The run ended without a word.");
  }
  try {
    const { report, revision } = await request("graph_open", { source: { graph_id: graphId } });
    const now = app.getState();
    if (now.graphId === graphId && now.revision === revision) takeReport(report);
  } catch (failure) {
    if (!(failure instanceof Refusal)) return;
  }
}
