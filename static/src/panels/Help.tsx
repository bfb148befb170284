import { commands, type Group } from "../commands";
import { Keys } from "../controls/CommandButton";
import { Dialog } from "../controls/Dialog";

const GROUPS: Group[] = ["Graph", "Edit", "Select", "View", "Compute", "Train", "Help"];

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
    "Keep state",
    "A shared variable remembers. Wire it into an update with its next value, then press Call: outputs show the value before the update, the shared card shows what it holds now.",
  ],
  [
    "Take a gradient",
    "A gradient card has two inputs: the cost, and what to differentiate by. An optimiser card makes one update for each parameter; choose a cost in the inspector and the graph can be trained.",
  ],
];

/** A short first hour, and every key there is. */
export function Help() {
  return (
    <Dialog title="Help" kind="wide" testId="help">
      <div className="help">
        <section>
          <h3>The first hour</h3>
          <ol className="first-hour">
            {FIRST_HOUR.map(([title, text]) => (
              <li key={title}>
                <strong>{title}.</strong> {text}
              </li>
            ))}
          </ol>
          <h3>With the mouse</h3>
          <p className="quiet-text">
            Drag the canvas to move it, turn the wheel to zoom, hold Shift and drag to select. Drag
            a wire's end to move it; let it go over nothing to take it off. Let a new wire go over
            nothing to add a node for it.
          </p>
        </section>
        <section className="cheat-sheet">
          {GROUPS.map((group) => (
            <div key={group}>
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
            </div>
          ))}
        </section>
      </div>
    </Dialog>
  );
}
