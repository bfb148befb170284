import { commands, type Group } from "../commands";
import { Keys } from "../controls/CommandButton";
import { Dialog } from "../controls/Dialog";
import { Tabs } from "../controls/Tabs";
import { useApp } from "../controls/useApp";
import { app } from "../store/app";
import { Reference } from "./Reference";

const GROUPS: Group[] = ["Graph", "Edit", "Select", "View", "Compute", "Train", "Rewrites", "Help"];

const TABS = [
  ["start", "The first hour"],
  ["keys", "Keys"],
  ["reference", "Reference"],
] as const;

const FIRST_HOUR: [title: string, text: string][] = [
  [
    "Watch a network learn",
    "Open the two-layer network from the gallery and press Train. The cost falls in the chart while the predictions on the canvas turn right. Slow it down with the speed slider, pause, go on in single steps.",
  ],
  [
    "Turn a knob",
    "Change the learning rate while it trains. The chart marks the step at which it took effect.",
  ],
  [
    "Build your own",
    "Start from an empty graph. Drag two scalars from the palette, add an op with a double-click on the canvas, and drag from port to port. The colour of a port is its dtype, its shape is the number of axes; ports that cannot take the wire grow dim and say why.",
  ],
  [
    "Find an op",
    "Type into the search of the palette what you would call it: Theano's name, NumPy's, a symbol, or a word of what it does. Point at a card to read more. Let a wire go over the empty canvas to see what takes it; the reference has everything.",
  ],
  [
    "Keep state",
    "A shared variable remembers. Wire it into an update with its next value, then press Call: outputs show the value before the update, the shared card shows what it holds now.",
  ],
  [
    "Take a gradient",
    "A gradient card has two inputs: the cost, and what to differentiate by. An optimiser card makes one update for each parameter; choose a cost in the inspector and the graph can be trained.",
  ],
  [
    "See how it is improved",
    "Before a graph runs, named laws of algebra make it faster and safer. Press R and play the film: each step says what it put in the place of what, and why, and lights the cards that it is about.",
  ],
];

/** A short first hour, every key there is, and what every card does. */
export function Help() {
  const tab = useApp((state) => state.helpTab);
  return (
    <Dialog title="Help" kind="wide" testId="help">
      <div className="tabs">
        <Tabs
          tabs={TABS}
          open={tab}
          label="Help on what"
          onOpen={(helpTab) => app.setState({ helpTab })}
        />
      </div>
      {tab === "start" && <FirstHour />}
      {tab === "keys" && <CheatSheet />}
      {tab === "reference" && <Reference />}
    </Dialog>
  );
}

function FirstHour() {
  return (
    <div className="help start" role="tabpanel">
      <ol className="first-hour">
        {FIRST_HOUR.map(([title, text]) => (
          <li key={title}>
            <strong>{title}.</strong> {text}
          </li>
        ))}
      </ol>
      <section>
        <h3>With the mouse</h3>
        <p className="quiet-text">
          Drag the canvas to move it, turn the wheel to zoom, hold Shift and drag to select. Drag a
          wire's end to move it; let it go over nothing to take it off. Let a new wire go over
          nothing to add a node for it. Alt-click folds all groups of the palette at once.
        </p>
      </section>
    </div>
  );
}

function CheatSheet() {
  return (
    <div className="help cheat-sheet" role="tabpanel">
      {GROUPS.map((group) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl>
            {commands
              .filter((one) => one.group === group && one.keys.length > 0)
              .map(({ name, label, keys }) => (
                <div key={name} className="cheat">
                  <dt>{label}</dt>
                  <dd>
                    {keys.map((one) => (
                      <Keys key={one} keys={one} />
                    ))}
                  </dd>
                </div>
              ))}
          </dl>
        </section>
      ))}
    </div>
  );
}
