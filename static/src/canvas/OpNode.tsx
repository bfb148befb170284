import { NodeToolbar, Position } from "@xyflow/react";
import { type CSSProperties, memo, useEffect, useRef } from "react";
import { Icon } from "../controls/Icon";
import { Sign } from "../controls/Sign";
import { useApp, useFacts } from "../controls/useApp";
import type { WireError } from "../protocol";
import { isBygone } from "../store/app";
import type { GraphNode } from "../store/document";
import type { Facts } from "../store/facts";
import { type Card, cardOf, inPorts, outPorts, type Port } from "../store/palette";
import { renameNode } from "../verbs/edit";
import { hueOf } from "./hue";
import { NodeBody } from "./NodeBody";
import { PortHandle, PortLabel } from "./PortHandle";

/** Ports as one text, so that a node is drawn again only when its ports change. */
function usePorts(id: string, card: Card | undefined): { ins: Port[]; outs: Port[] } {
  const text = useApp(({ doc }) =>
    doc ? JSON.stringify([inPorts(card, doc, id), outPorts(card, doc, id)]) : "[[],[]]",
  );
  const [ins, outs] = JSON.parse(text) as [Port[], Port[]];
  return { ins, outs };
}

const UNFINISHED = "missing-input";

/** One card for every node there is, drawn from the palette's data alone. */
export const OpNode = memo(function OpNode({ id }: { id: string }) {
  const node = useApp(({ doc }) => doc?.nodes[id]);
  const card = useApp(({ palette }) => (node ? cardOf(palette, node) : undefined));
  const hue = useApp(({ palette }) => hueOf(palette, card?.category));
  const facts = useFacts(id);
  const { ins, outs } = usePorts(id, card);
  const box = useRef<HTMLDivElement>(null);
  const bygone = useApp((state) => isBygone(state, id)) && node?.kind !== "input";
  const pointed = useApp((state) => state.pointed === id);
  if (!node) return null;

  const soleIn = ins.length === 1 ? ins[0] : undefined;
  const soleOut = outs.length === 1 ? outs[0] : undefined;
  const rowIns = soleIn ? [] : ins;
  const rowOuts = soleOut ? [] : outs;
  const wrong = (port: Port) => facts.error?.port === port.name;
  // A node that still waits for a wire is unfinished rather than wrong.
  const trouble = facts.error && (facts.error.kind === UNFINISHED ? "unfinished" : "in-error");
  return (
    <div
      className={`card kind-${node.kind} ${trouble ?? ""} ${card ? "" : "missing"} ${bygone ? "bygone" : ""}`}
      style={{ "--hue": hue } as CSSProperties}
      data-testid={`node-${id}`}
      ref={box}
    >
      <header className="card-head">
        {soleIn && <PortHandle node={id} port={soleIn} side="in" lit={wrong(soleIn)} />}
        <Sign text={card?.symbol ?? "?"} />
        <Names id={id} node={node} card={card} facts={facts} />
        {facts.error && <Icon name="alert" size={15} />}
        {soleOut && <PortHandle node={id} port={soleOut} side="out" lit={wrong(soleOut)} />}
      </header>
      {Array.from({ length: Math.max(rowIns.length, rowOuts.length) }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
        <div className="port-row" key={row}>
          {rowIns[row] && (
            <>
              <PortHandle node={id} port={rowIns[row]} side="in" lit={wrong(rowIns[row])} />
              <PortLabel port={rowIns[row]} />
            </>
          )}
          {rowOuts[row] && (
            <>
              <PortLabel port={rowOuts[row]} />
              <PortHandle node={id} port={rowOuts[row]} side="out" lit={wrong(rowOuts[row])} />
            </>
          )}
        </div>
      ))}
      <NodeBody id={id} node={node} facts={facts} />
      <span className="from-afar" aria-hidden="true">
        <span>{card?.symbol ?? "?"}</span>
        {node.name && <strong>{node.name}</strong>}
      </span>
      {facts.error && (
        <div className="card-error">
          <p>{facts.error.message}</p>
        </div>
      )}
      {facts.error && pointed && <Explanation error={facts.error} card={box.current} />}
    </div>
  );
});

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

/** The whole sentence, legible at any zoom, while the pointer is on the card. */
function Explanation({ error, card }: { error: WireError; card: HTMLElement | null }) {
  const box = card?.getBoundingClientRect();
  const canvas = card?.closest(".canvas")?.getBoundingClientRect();
  const right = box && canvas ? box.left > canvas.left + canvas.width / 2 : false;
  return (
    <NodeToolbar isVisible position={Position.Bottom} align={right ? "end" : "start"} offset={8}>
      <div className="explanation" role="alert">
        <strong>{error.message}</strong>
        {error.hint && <p>{error.hint}</p>}
      </div>
    </NodeToolbar>
  );
}
