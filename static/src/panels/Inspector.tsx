import { Fence } from "../controls/Fence";
import { useApp } from "../controls/useApp";
import { GraphFacts } from "./GraphFacts";
import { NodeFacts } from "./NodeFacts";

/** Everything about the selected node, or about the graph when none is selected. */
export function Inspector() {
  const nodes = useApp((state) => state.selection.nodes);
  const [only] = nodes;
  return (
    <aside className="panel inspector" aria-label="Inspector">
      {nodes.length === 0 && <GraphFacts />}
      {nodes.length === 1 && only && (
        <Fence what="node" key={only}>
          <NodeFacts id={only} />
        </Fence>
      )}
      {nodes.length > 1 && (
        <section className="section">
          <h2>{nodes.length} nodes</h2>
          <p className="quiet-text">
            Copy, duplicate, move or delete them together; right-click for all verbs.
          </p>
        </section>
      )}
    </aside>
  );
}
