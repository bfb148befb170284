import { NodeToolbar, Position } from "@xyflow/react";
import { type CSSProperties, memo, useEffect, useRef } from "react";
import { Fence } from "../controls/Fence";
import { Icon } from "../controls/Icon";
import { Sign } from "../controls/Sign";
import { useApp, useFacts } from "../controls/useApp";
import { isBygone, litNodes } from "../store/app";
import { edgeInto, type GraphDocument, type GraphNode } from "../store/document";
import { type Facts, isUnfinished } from "../store/facts";
import { type Card, cardOf, inPorts, outPorts, type Port } from "../store/palette";
import { paramOf, settingsOf, tellParam } from "../store/params";
import { renameNode } from "../verbs/edit";
import { hueOf } from "./hue";
import { NodeBody } from "./NodeBody";
import { PortHandle, PortLabel } from "./PortHandle";

/** Ports as one text, so that a node is drawn again only when its ports change. */
function usePorts(id: string, card: Card | undefined) {
  const text = useApp(({ doc }) =>
    doc
      ? JSON.stringify({
          ins: inPorts(card, doc, id),
          outs: outPorts(card, doc, id),
          typed: typedIn(card, doc, id),
        })
      : NO_PORTS,
  );
  return JSON.parse(text) as { ins: Port[]; outs: Port[]; typed: Record<string, string> };
}

const NO_PORTS = '{"ins":[],"outs":[],"typed":{}}';

/** What unwired ports read that may be left open, by their names. */
function typedIn(card: Card | undefined, doc: GraphDocument, id: string): Record<string, string> {
  const node = doc.nodes[id];
  const open = card?.inputs.filter(({ name, optional }) => optional && !edgeInto(doc, [id, name]));
  const texts = open?.flatMap(({ name }) => {
    const param = card?.params.find((one) => one.name === name);
    return node && param ? [[name, tellParam(param, paramOf(node, param))]] : [];
  });
  return Object.fromEntries(texts ?? []);
}

/** In-ports and out-ports side by side. */
const pairs = (ins: Port[], outs: Port[]) =>
  Array.from({ length: Math.max(ins.length, outs.length) }, (_, row) => [ins[row], outs[row]]);

function troubleOf({ error, warnings }: Facts): string {
  if (error) return isUnfinished(error) ? "unfinished" : "in-error";
  return warnings.length > 0 ? "warned" : "";
}

/** One card for every node there is. */
export const OpNode = memo(function OpNode({ id }: { id: string }) {
  return (
    <Fence what="node">
      <NodeCard id={id} />
    </Fence>
  );
});

/** Drawn from the palette's data alone. */
function NodeCard({ id }: { id: string }) {
  const node = useApp(({ doc }) => doc?.nodes[id]);
  const card = useApp(({ palette }) => (node ? cardOf(palette, node) : undefined));
  const hue = useApp(({ palette }) => hueOf(palette, card?.category));
  const facts = useFacts(id);
  const { ins, outs, typed } = usePorts(id, card);
  const box = useRef<HTMLDivElement>(null);
  const bygone = useApp((state) => isBygone(state, id)) && node?.kind !== "input";
  const lit = useApp((state) => litNodes(state).has(id));
  const pointed = useApp((state) => state.pointed === id);
  if (!node) return null;

  const soleIn = ins.length === 1 ? ins[0] : undefined;
  const soleOut = outs.length === 1 ? outs[0] : undefined;
  const rows = pairs(soleIn ? [] : ins, soleOut ? [] : outs);
  const { error } = facts;
  const wrong = (port: Port) => error?.port === port.name;
  const trouble = troubleOf(facts);
  return (
    <div
      className={`card kind-${node.kind} ${trouble} ${card ? "" : "missing"} ${bygone ? "bygone" : ""} ${lit ? "lit" : ""}`}
      style={{ "--hue": hue } as CSSProperties}
      data-testid={`node-${id}`}
      ref={box}
    >
      <header className="card-head">
        {soleIn && <PortHandle node={id} port={soleIn} side="in" lit={wrong(soleIn)} />}
        <Sign text={card?.symbol ?? "?"} />
        <Names id={id} node={node} card={card} facts={facts} />
        {trouble && <Icon name="alert" size={15} />}
        {soleOut && <PortHandle node={id} port={soleOut} side="out" lit={wrong(soleOut)} />}
      </header>
      <Settings texts={settingsOf(card, node)} />
      {rows.map(([left, right]) => (
        <PortRow
          key={`${left?.name} ${right?.name}`}
          node={id}
          left={left}
          right={right}
          typed={typed}
          wrong={wrong}
        />
      ))}
      <NodeBody id={id} node={node} facts={facts} />
      <span className="from-afar" aria-hidden="true">
        <span>{card?.symbol ?? "?"}</span>
        {node.name && <strong>{node.name}</strong>}
      </span>
      {error && (
        <div className="card-error">
          <p>{error.message}</p>
        </div>
      )}
      {trouble && pointed && <Explanation facts={facts} card={box.current} />}
    </div>
  );
}

function Settings({ texts }: { texts: string[] }) {
  if (texts.length === 0) return null;
  return (
    <p className="card-settings mono" title={texts.join(", ")}>
      {texts.map((text) => (
        <span key={text}>{text}</span>
      ))}
    </p>
  );
}

interface RowProps {
  node: string;
  left: Port | undefined;
  right: Port | undefined;
  /** What open ports read, by their names. */
  typed: Record<string, string>;
  wrong: (port: Port) => boolean;
}

function PortRow({ node, left, right, typed, wrong }: RowProps) {
  return (
    <div className="port-row">
      {left && (
        <>
          <PortHandle node={node} port={left} side="in" lit={wrong(left)} />
          <PortLabel port={left} typed={typed[left.name]} />
        </>
      )}
      {right && (
        <>
          <PortLabel port={right} />
          <PortHandle node={node} port={right} side="out" lit={wrong(right)} />
        </>
      )}
    </div>
  );
}

function Names({ id, node, card, facts }: NamesProps) {
  const renaming = useApp((state) => state.renaming === id);
  const label = card?.label ?? node.op ?? node.kind;
  const [type] = Object.values(facts.types);
  const about = node.name ? [label, type?.dtype].filter(Boolean).join(" · ") : null;
  return (
    <div className="names">
      {renaming ? (
        <NameField id={id} name={node.name ?? ""} />
      ) : (
        <span className="name">{node.name ?? label}</span>
      )}
      {about && <span className="about">{about}</span>}
    </div>
  );
}

interface NamesProps {
  id: string;
  node: GraphNode;
  card: Card | undefined;
  facts: Facts;
}

function NameField({ id, name }: { id: string; name: string }) {
  const field = useRef<HTMLInputElement>(null);
  const given = useRef(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const give = (wanted: string) => {
    if (given.current) return;
    given.current = true;
    renameNode(id, wanted);
  };
  return (
    <input
      ref={field}
      className="field nodrag"
      aria-label="Name"
      defaultValue={name}
      data-testid={`rename-${id}`}
      onBlur={(event) => give(event.target.value)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") give(event.currentTarget.value);
        if (event.key === "Escape") give(name);
      }}
    />
  );
}

/** The whole sentences, legible at any zoom, while the pointer is on the card. */
function Explanation({ facts, card }: { facts: Facts; card: HTMLElement | null }) {
  const { error, warnings } = facts;
  const box = card?.getBoundingClientRect();
  const canvas = card?.closest(".canvas")?.getBoundingClientRect();
  const right = box && canvas ? box.left > canvas.left + canvas.width / 2 : false;
  return (
    <NodeToolbar isVisible position={Position.Bottom} align={right ? "end" : "start"} offset={8}>
      <div className={`explanation${error && !isUnfinished(error) ? "" : " warning"}`} role="alert">
        {error && <strong>{error.message}</strong>}
        {error?.hint && <p>{error.hint}</p>}
        {!error && warnings.map((warning) => <p key={warning}>{warning}</p>)}
      </div>
    </NodeToolbar>
  );
}
