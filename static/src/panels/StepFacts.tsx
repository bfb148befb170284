import { useApp } from "../controls/useApp";
import { chosenStep, type Film, lawWords, type Step } from "../store/film";
import { showCount, showDuration } from "../store/number";
import { goTo } from "../verbs/edit";
import { filterSteps } from "../verbs/film";
import { Formula } from "./Formula";
import { Tags } from "./Tags";

/** Beside the steps: everything about the chosen one, or what each law did on the whole. */
export function StepFacts() {
  const film = useApp((state) => state.rewrites.film);
  const chosen = useApp((state) => state.rewrites.chosen);
  const step = useApp((state) => chosenStep(state.rewrites));
  return (
    <aside className="film-facts" aria-label="The step" data-testid="film-facts">
      {step ? (
        <Chosen step={step} key={chosen} />
      ) : chosen !== null ? (
        <p className="quiet-text">This step is on its way…</p>
      ) : (
        film && film.laws.length > 0 && <Laws film={film} />
      )}
    </aside>
  );
}

function Chosen({ step }: { step: Step }) {
  const { rule, phase, why, tags, before, after, seconds } = step;
  return (
    <>
      <header>
        <h2>{lawWords(rule)}</h2>
        <p className="film-marks">
          <span className="film-phase">{phase}</span>
          <Tags tags={tags} all />
        </p>
      </header>
      <p className="doc">{why}</p>
      <div className="film-formulas">
        <Formula tex={step.before_tex} text={before} wraps />
        <span className="film-arrow">→</span>
        <Formula tex={step.after_tex} text={after} wraps />
      </div>
      <dl className="film-numbers">
        <div>
          <dt>nodes</dt>
          <dd className="mono">
            {showCount(step.nodes_before)} → {showCount(step.nodes_after)}
          </dd>
        </div>
        <div>
          <dt>cost</dt>
          <dd className="mono">
            {showCount(step.cost_before)} → {showCount(step.cost_after)}
          </dd>
        </div>
        <div>
          <dt>time</dt>
          <dd className="mono">{showDuration(seconds)}</dd>
        </div>
        <Origins step={step} />
      </dl>
    </>
  );
}

const MOST_ORIGINS = 12;

/** The canvas nodes that a step is about. */
function Origins({ step }: { step: Step }) {
  const nodes = useApp((state) => state.doc?.nodes);
  const there = [...step.origins].filter((id) => nodes?.[id]);
  if (there.length === 0) return null;
  return (
    <div>
      <dt>from</dt>
      <dd className="film-origins">
        {there.slice(0, MOST_ORIGINS).map((id) => (
          <button type="button" className="link" key={id} onClick={() => goTo(id)}>
            {nodes?.[id]?.name ?? nodes?.[id]?.op ?? id}
          </button>
        ))}
        {there.length > MOST_ORIGINS && (
          <span className="faint">{there.length - MOST_ORIGINS} more</span>
        )}
      </dd>
    </div>
  );
}

const signed = (change: number) =>
  change > 0 ? `+${showCount(change)}` : change < 0 ? `−${showCount(-change)}` : "0";

/** What each law did; one of them is a search for its steps. */
function Laws({ film }: { film: Film }) {
  return (
    <table className="film-laws">
      <thead>
        <tr>
          <th>law</th>
          <th>steps</th>
          <th>nodes</th>
          <th>cost</th>
        </tr>
      </thead>
      <tbody>
        {film.laws.map(({ phase, rule, why, steps, nodes, cost }) => (
          <tr key={`${phase} ${rule}`}>
            <td>
              <button
                type="button"
                className="link"
                title={why}
                onClick={() => filterSteps({ phase, words: rule })}
              >
                {lawWords(rule)}
              </button>
            </td>
            <td className="mono">{showCount(steps)}</td>
            <td className="mono">{signed(nodes)}</td>
            <td className="mono">{signed(cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
