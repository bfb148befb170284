import type { Patch } from "../protocol";
import type { GraphDocument } from "./document";

type Tree = Record<string, unknown>;

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whole new trees along the path, everything else shared with the old ones. */
function withPath(tree: Tree, path: string[], patch: Patch): Tree {
  const [key, ...rest] = path;
  if (key === undefined) throw new Error("A patch needs a path.");
  if (rest.length > 0) {
    const child = tree[key];
    if (!isTree(child)) throw new Error(`There is nothing at ${patch.path.join("/")} to change.`);
    return { ...tree, [key]: withPath(child, rest, patch) };
  }
  if ("value" in patch) return { ...tree, [key]: patch.value };
  const { [key]: _gone, ...kept } = tree;
  return kept;
}

export function valueAt(tree: unknown, path: string[]): unknown {
  let here = tree;
  for (const key of path) {
    if (!isTree(here)) return undefined;
    here = here[key];
  }
  return here;
}

function inverseOf(doc: GraphDocument, patch: Patch): Patch {
  const old = valueAt(doc, patch.path);
  return old === undefined ? { path: patch.path } : { path: patch.path, value: old };
}

/** Apply patches in order; the inverse, applied to the result, gives the document back. */
export function apply(
  doc: GraphDocument,
  patches: Patch[],
): { doc: GraphDocument; inverse: Patch[] } {
  const inverse: Patch[] = [];
  let next = doc;
  for (const patch of patches) {
    inverse.unshift(inverseOf(next, patch));
    next = withPath(next as unknown as Tree, patch.path, patch) as unknown as GraphDocument;
  }
  return { doc: next, inverse };
}

const covers = (outer: string[], inner: string[]) =>
  outer.length <= inner.length && outer.every((key, index) => key === inner[index]);

/** Add patches to a queue; what a later one overwrites need not be sent at all. */
export function append(queue: Patch[], patches: Patch[]): Patch[] {
  let result = queue;
  for (const patch of patches) {
    result = [...result.filter((earlier) => !covers(patch.path, earlier.path)), patch];
  }
  return result;
}

/** Collects patches while keeping the document they lead to, so that later ones can read it. */
export class Edit {
  readonly patches: Patch[] = [];

  constructor(public doc: GraphDocument) {}

  /** Set a value; parents that are missing are made on the way. */
  set(path: string[], value: unknown): this {
    let depth = 1;
    while (depth < path.length && isTree(valueAt(this.doc, path.slice(0, depth)))) depth++;
    const nested = path.slice(depth).reduceRight((inner, key) => ({ [key]: inner }), value);
    return this.push({ path: path.slice(0, depth), value: nested });
  }

  remove(path: string[]): this {
    return valueAt(this.doc, path) === undefined ? this : this.push({ path });
  }

  push(patch: Patch): this {
    this.doc = apply(this.doc, [patch]).doc;
    this.patches.push(patch);
    return this;
  }
}
