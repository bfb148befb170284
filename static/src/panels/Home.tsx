import { type ReactNode, useEffect, useState } from "react";
import { Dialog } from "../controls/Dialog";
import { Icon } from "../controls/Icon";
import { Tabs } from "../controls/Tabs";
import { useApp } from "../controls/useApp";
import type { GraphListItem, RunInfo } from "../protocol";
import { app } from "../store/app";
import { showCount, showDuration, showNumber } from "../store/number";
import { attempt } from "../verbs/failure";
import {
  chooseFile,
  deleteGraph,
  listGraphs,
  listRuns,
  openEmpty,
  openGallery,
  openGraph,
} from "../verbs/graph";
import { showRun } from "../verbs/run";
import { Preview } from "./Preview";

const TABS = [
  ["gallery", "Gallery"],
  ["graphs", "My graphs"],
  ["runs", "Runs"],
] as const;

/** Where everything is opened: examples, one's own graphs, and what was trained. */
export function Home() {
  const tab = useApp((state) => state.homeTab);
  const closable = useApp((state) => state.doc !== null);
  return (
    <Dialog title="Open a graph" kind="wide" closable={closable} testId="home">
      <div className="tabs">
        <Tabs
          tabs={TABS}
          open={tab}
          label="What to open"
          onOpen={(homeTab) => app.setState({ homeTab })}
        />
        <span className="spring" />
        <button type="button" className="button plain" data-testid="new-graph" onClick={openEmpty}>
          <Icon name="plus" /> Empty graph
        </button>
        <button type="button" className="button quiet" onClick={chooseFile}>
          <Icon name="upload" /> Open a file
        </button>
      </div>
      <div className="home-body" role="tabpanel">
        {tab === "gallery" && <Gallery />}
        {tab === "graphs" && <Graphs />}
        {tab === "runs" && <Runs />}
      </div>
    </Dialog>
  );
}

function Gallery() {
  const gallery = useApp((state) => state.gallery);
  return (
    <ul className="gallery">
      {gallery?.map(({ name, title, summary, nodes, trainable }) => (
        <li key={name}>
          <button
            type="button"
            className="gallery-card"
            data-testid={`gallery-${name}`}
            onClick={() => void openGallery(name)}
          >
            <Preview name={name} />
            <span className="gallery-title">{title}</span>
            <span className="gallery-summary">{summary}</span>
            <span className="gallery-foot">
              {nodes} nodes{trainable && <span className="tag">trains</span>}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** A list that is asked for when it comes on the screen. */
function useList<T>(load: () => Promise<T[]>): [T[] | null, () => void] {
  const [list, setList] = useState<T[] | null>(null);
  const [asked, setAsked] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again on purpose
  useEffect(() => {
    let current = true;
    void attempt(async () => {
      const found = await load();
      if (current) setList(found);
    });
    return () => {
      current = false;
    };
  }, [asked, load]);
  return [list, () => setAsked((count) => count + 1)];
}

const when = (time: string | number | null): string => {
  if (time === null) return "not yet saved";
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(date.getTime())
    ? ""
    : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
};

function Graphs() {
  const [graphs, reload] = useList<GraphListItem>(listGraphs);
  const open = useApp((state) => state.graphId);
  if (graphs?.length === 0) return <Nothing>Graphs that you open or save appear here.</Nothing>;
  return (
    <ul className="rows">
      {graphs?.map(({ graph_id, title, saved_at, nodes }) => (
        <li key={graph_id} className={graph_id === open ? "current" : ""}>
          <button type="button" className="row" onClick={() => void openGraph(graph_id)}>
            <strong>{title || "Untitled"}</strong>
            <span>{nodes} nodes</span>
            <span>{when(saved_at)}</span>
          </button>
          <DeleteButton title={title} onDelete={() => void deleteGraph(graph_id).then(reload)} />
        </li>
      ))}
    </ul>
  );
}

/** Asked once more before anything is gone. */
function DeleteButton({ title, onDelete }: { title: string; onDelete: () => void }) {
  const [sure, setSure] = useState(false);
  return (
    <button
      type="button"
      className={`button ${sure ? "danger" : "quiet square"}`}
      aria-label={sure ? `Really delete ${title}` : `Delete ${title}`}
      onBlur={() => setSure(false)}
      onClick={() => (sure ? onDelete() : setSure(true))}
    >
      {sure ? "Delete for good" : <Icon name="trash" />}
    </button>
  );
}

function Runs() {
  const [runs] = useList<RunInfo>(listRuns);
  const open = async (run: RunInfo) => {
    if (app.getState().graphId !== run.graph_id) await openGraph(run.graph_id);
    await showRun(run);
    app.setState({ overlay: null });
  };
  if (runs?.length === 0) return <Nothing>Runs appear here once a graph was trained.</Nothing>;
  return (
    <ul className="rows">
      {runs?.map((run) => (
        <li key={run.run_id}>
          <button type="button" className="row runs-row" onClick={() => void open(run)}>
            <strong>{run.title || "Untitled"}</strong>
            <span className={`state state-${run.state}`}>{run.state}</span>
            <span>
              step {showCount(run.step)} / {showCount(run.steps)}
            </span>
            <span className="mono">cost {run.cost === null ? "–" : showNumber(run.cost)}</span>
            <span>{showDuration(run.seconds)}</span>
            <span>{when(run.started_at)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

const Nothing = ({ children }: { children: ReactNode }) => <p className="nothing">{children}</p>;
