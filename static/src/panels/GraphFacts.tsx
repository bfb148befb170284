import { Icon } from "../controls/Icon";
import { useApp, useFacts } from "../controls/useApp";
import { ValueView } from "../controls/ValueView";
import { app, type Problem } from "../store/app";
import type { GraphDocument } from "../store/document";
import { shownValue } from "../store/facts";
import { shapeText } from "../store/number";
import { changeTraining, goTo } from "../verbs/edit";

/** The graph as a whole: what it teaches, its problems, its results, how it is trained. */
export function GraphFacts() {
  const doc = useApp((state) => state.doc);
  if (!doc) return null;
  return (
    <>
      <section className="section">
        <h2>{doc.title || "Untitled"}</h2>
        {doc.summary && <p className="doc">{doc.summary}</p>}
        <p className="quiet-text">
          {Object.keys(doc.nodes).length} nodes · {doc.edges.length} wires
        </p>
      </section>
      <Problems />
      <Results />
      <Live doc={doc} />
      <TrainingSetup doc={doc} />
    </>
  );
}

const MOST_PROBLEMS = 6;

/** What is wrong, worst first; what only follows from it is folded away. */
function Problems() {
  const problems = useApp((state) => state.summary.problems);
  if (problems.length === 0) return null;
  const others = problems.slice(MOST_PROBLEMS);
  return (
    <section className="section" data-testid="problems">
      <h3>Problems</h3>
      <ProblemList problems={problems.slice(0, MOST_PROBLEMS)} />
      {others.length > 0 && (
        <details>
          <summary>{others.length} more</summary>
          <ProblemList problems={others} />
        </details>
      )}
    </section>
  );
}

function ProblemList({ problems }: { problems: Problem[] }) {
  const doc = useApp((state) => state.doc);
  return (
    <ul className="problems">
      {problems.map(({ node, message, severity }) => (
        <li key={`${node} ${message}`}>
          <button type="button" className={`problem ${severity}`} onClick={() => goTo(node)}>
            <Icon name="alert" size={14} />
            <span>
              <strong>{doc?.nodes[node]?.name ?? doc?.nodes[node]?.op ?? node}</strong> {message}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The named results as they stand, followed while a run goes on. */
function Live({ doc }: { doc: GraphDocument }) {
  const outputs = Object.entries(doc.nodes).filter(([, node]) => node.kind === "output");
  if (outputs.length === 0) return null;
  return (
    <section className="section">
      <h3>Now</h3>
      {outputs.map(([id, node]) => (
        <LiveValue key={id} id={id} name={node.name ?? id} />
      ))}
    </section>
  );
}

function LiveValue({ id, name }: { id: string; name: string }) {
  const value = shownValue(useFacts(id));
  return (
    <div className="output">
      <div className="output-head">
        <button type="button" className="link" onClick={() => goTo(id)}>
          {name}
        </button>
        <span className="mono faint">{value && `${value.dtype} ${shapeText(value.shape)}`}</span>
      </div>
      <ValueView value={value} testId={`live-value-${id}`} />
    </div>
  );
}

/** What the last call gave back, under the names of the results. */
function Results() {
  const outputs = useApp((state) => state.outputs);
  const calls = useApp((state) => state.calls);
  const functions = useApp((state) => state.summary.functions);
  const calling = useApp((state) => state.calling);
  return (
    <section className="section" data-testid="results">
      <h3>Results{calls > 0 && <span className="faint"> of call {calls}</span>}</h3>
      {functions.length > 1 && (
        <label className="inline-field">
          <span>Call</span>
          <select
            className="field"
            data-testid="function"
            value={calling ?? functions[0] ?? ""}
            onChange={(event) => app.setState({ calling: event.target.value })}
          >
            {functions.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      {!outputs && <p className="quiet-text">Press Call to compute the outputs once.</p>}
      {Object.entries(outputs ?? {}).map(([name, value]) => (
        <div className="output" key={name}>
          <div className="output-head">
            <span>{name}</span>
            <span className="mono faint">{value.dtype}</span>
          </div>
          <ValueView value={value} testId={`result-${name}`} />
        </div>
      ))}
      {outputs && Object.keys(outputs).length === 0 && (
        <p className="quiet-text">The updates were applied; this function has no outputs.</p>
      )}
    </section>
  );
}

/** Which function is trained, and which of its outputs is to fall. */
function TrainingSetup({ doc }: { doc: GraphDocument }) {
  const outputs = Object.entries(doc.nodes).filter(([, node]) => node.kind === "output");
  if (outputs.length === 0) return null;
  const functions = Object.keys(doc.functions ?? {});
  return (
    <section className="section">
      <h3>Training</h3>
      <label className="inline-field">
        <span>Cost</span>
        <select
          className="field"
          data-testid="training-cost"
          value={doc.training?.cost ?? ""}
          onChange={(event) => changeTraining("cost", event.target.value)}
        >
          {!doc.training?.cost && <option value="">choose an output</option>}
          {outputs.map(([id, node]) => (
            <option key={id} value={id}>
              {node.name ?? id}
            </option>
          ))}
        </select>
      </label>
      {functions.length > 1 && doc.training && (
        <label className="inline-field">
          <span>Function</span>
          <select
            className="field"
            value={doc.training.function ?? ""}
            onChange={(event) => changeTraining("function", event.target.value)}
          >
            {functions.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
    </section>
  );
}
