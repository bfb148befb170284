import type { CSSProperties } from "react";
import { hueOf } from "../canvas/hue";
import { CommandButton } from "../controls/CommandButton";
import { Icon } from "../controls/Icon";
import { Sign } from "../controls/Sign";
import { useApp, useFacts } from "../controls/useApp";
import { ValueView } from "../controls/ValueView";
import type { Type, WireError } from "../protocol";
import { type GraphEdge, type GraphNode, wiring } from "../store/document";
import { roleOf } from "../store/edits";
import { type Facts, isUnfinished } from "../store/facts";
import { shapeText } from "../store/number";
import { type Card, cardOf } from "../store/palette";
import { paramOf } from "../store/params";
import { changeMembership, changeParam, renameNode } from "../verbs/edit";
import { Formula } from "./Formula";
import { ParamField } from "./ParamField";

/** One node: what it is, what it can be set to, what it came to. */
export function NodeFacts({ id }: { id: string }) {
  const node = useApp(({ doc }) => doc?.nodes[id]);
  const card = useApp(({ palette }) => (node ? cardOf(palette, node) : undefined));
  const hue = useApp(({ palette }) => hueOf(palette, card?.category));
  const facts = useFacts(id);
  if (!node) return null;
  return (
    <div style={{ "--hue": hue } as CSSProperties}>
      <section className="section node-head">
        <Sign text={card?.symbol ?? "?"} />
        <div>
          <h2>{card?.label ?? node.op ?? node.kind}</h2>
          <p className="quiet-text">{card?.category ?? "Unknown here; kept as it is"}</p>
        </div>
        {card && <CommandButton name="reference" />}
      </section>
      {facts.error && <ErrorBox error={facts.error} />}
      {facts.warnings?.map((warning) => (
        <p className="callout warning" key={warning}>
          {warning}
        </p>
      ))}
      {card && (
        <section className="section">
          {card.tex && <Formula tex={card.tex} />}
          <p className="doc">{card.doc}</p>
        </section>
      )}
      <Params id={id} node={node} card={card} facts={facts} />
      <Outputs facts={facts} />
      <Membership id={id} node={node} />
    </div>
  );
}

export function ErrorBox({ error }: { error: WireError }) {
  return (
    <div className={`callout ${isUnfinished(error) ? "warning" : "error"}`} role="alert">
      <strong>
        <Icon name="alert" size={14} /> {error.message}
      </strong>
      {(error.expected || error.got) && (
        <dl>
          {error.expected && (
            <>
              <dt>expected</dt>
              <dd>{error.expected}</dd>
            </>
          )}
          {error.got && (
            <>
              <dt>got</dt>
              <dd>{error.got}</dd>
            </>
          )}
        </dl>
      )}
      {error.hint && <p>{error.hint}</p>}
      {error.details && (
        <details>
          <summary>Details</summary>
          <pre className="mono">{error.details}</pre>
        </details>
      )}
    </div>
  );
}

interface PartProps {
  id: string;
  node: GraphNode;
  card: Card | undefined;
  facts: Facts;
}

function Params({ id, node, card, facts }: PartProps) {
  const params = node.params ?? {};
  const wires = useApp(({ doc }) => (doc ? wiring(doc.edges).into.get(id) : undefined));
  const axes = useRankAt(wires, card?.inputs[0]?.name);
  // What is wired in counts, and not what could be typed in its place.
  const shown = (card?.params ?? []).filter(
    (param) => !wires?.some((wire) => wire.to[1] === param.name),
  );
  if (!card?.named && shown.length === 0) return null;
  return (
    <section className="section">
      {card?.named && <NameField key={node.name} id={id} name={node.name ?? ""} />}
      {shown.map((param) => (
        <ParamField
          key={param.name}
          param={param}
          value={paramOf(node, param)}
          dtype={String(params.dtype ?? "float64")}
          rank={node.kind === "input" && Array.isArray(params.shape) ? params.shape.length : null}
          axes={axes}
          hasDefault={!card?.named && param.type !== "value"}
          error={facts.error?.port === param.name ? facts.error.message : null}
          onChange={(value) => changeParam(id, param.name, value)}
        />
      ))}
    </section>
  );
}

/** How many axes the tensor has that is wired into a port; null where that is not known. */
function useRankAt(wires: GraphEdge[] | undefined, port: string | undefined): number | null {
  const wire = wires?.find(({ to }) => to[1] === port || to[1].startsWith(`${port}.`));
  const [source, out] = wire?.from ?? ["", ""];
  return useFacts(source).types[out]?.shape.length ?? null;
}

function NameField({ id, name }: { id: string; name: string }) {
  return (
    <div className="param">
      <label htmlFor="param-name">name</label>
      <input
        id="param-name"
        className="field"
        data-testid="param-name"
        defaultValue={name}
        spellCheck={false}
        onBlur={(event) => renameNode(id, event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </div>
  );
}

function Outputs({ facts }: { facts: Facts }) {
  const ports = [...new Set([...Object.keys(facts.types), ...Object.keys(facts.values)])];
  if (ports.length === 0) return null;
  return (
    <section className="section">
      <h3>{ports.length === 1 ? "Value" : "Values"}</h3>
      {ports.map((port) => (
        <div className="output" key={port}>
          <div className="output-head">
            {ports.length > 1 && <span>{port}</span>}
            <TypeText type={facts.types[port]} />
          </div>
          <ValueView value={facts.values[port]} />
        </div>
      ))}
    </section>
  );
}

const TypeText = ({ type }: { type: Type | undefined }) => (
  <span className={`mono ${type?.upcast ? "upcast" : "faint"}`}>
    {type && `${type.upcast ? "⇡ " : ""}${type.dtype} ${shapeText(type.shape)}`}
  </span>
);

function Membership({ id, node }: { id: string; node: GraphNode }) {
  const functions = useApp(({ doc }) => doc?.functions);
  const role = roleOf(node.kind);
  const names = Object.keys(functions ?? {});
  if (!role || names.length === 0) return null;
  return (
    <section className="section">
      <h3>Part of</h3>
      {names.map((name) => (
        <label className="check" key={name}>
          <input
            type="checkbox"
            checked={functions?.[name]?.[role]?.includes(id) ?? false}
            onChange={(event) => changeMembership(id, name, event.target.checked)}
          />
          {name}
        </label>
      ))}
    </section>
  );
}
