import type { GraphDocument } from "./document";
import { type Card, inPorts, outPorts } from "./palette";
import { settingsOf } from "./params";

const WIDTH = 168;
const HEAD = 48;
const ROW = 20;
const BODY = 36;
const LINE = 17;
const SETTINGS = 20;
const MOST_LINES = 6;

/** About how large a card will be, before it was ever drawn. */
export function cardSize(
  card: Card | undefined,
  doc: GraphDocument,
  id: string,
): { width: number; height: number } {
  const ins = inPorts(card, doc, id).length;
  const outs = outPorts(card, doc, id).length;
  const rows = Math.max(ins > 1 ? ins : 0, outs > 1 ? outs : 0);
  const node = doc.nodes[id];
  const { kind, params } = node ?? {};
  const lines = Array.isArray(params?.value) ? Math.min(MOST_LINES, params.value.length) - 1 : 0;
  const held = kind === "shared" ? BODY - 8 : 0;
  const settings = node && settingsOf(card, node).length > 0 ? SETTINGS : 0;
  return { width: WIDTH, height: HEAD + settings + rows * ROW + BODY + lines * LINE + held };
}
