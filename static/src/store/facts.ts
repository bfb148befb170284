import type { NodeReport, Report, Value, WireError } from "../protocol";
import type { End } from "./document";

/** What the server last said of one node. */
export type Facts = NodeReport;

const NOTHING: Facts = { types: {}, values: {}, error: null, warnings: [] };

/**
 * Types, values and errors by node id. They change many times a second during a run, so they live
 * outside the document and each node on the canvas listens to its own only.
 */
export class NodeFacts {
  private facts = new Map<string, Facts>();
  private listeners = new Map<string, Set<() => void>>();

  get(id: string): Facts {
    return this.facts.get(id) ?? NOTHING;
  }

  subscribe(id: string, listener: () => void): () => void {
    const set = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, set.add(listener));
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(id);
    };
  }

  clear(): void {
    const ids = [...this.facts.keys()];
    this.facts.clear();
    for (const id of ids) this.tell(id);
  }

  /** Take a whole report; nodes whose facts are unchanged are not redrawn. */
  report(report: Report): void {
    for (const id of this.facts.keys()) {
      if (!(id in report.nodes)) this.put(id, NOTHING);
    }
    for (const [id, facts] of Object.entries(report.nodes)) this.put(id, facts);
  }

  /** Take the values that a run streams; types and errors stay. */
  values(values: Record<string, Value>): void {
    for (const [id, value] of Object.entries(values)) {
      const old = this.get(id);
      const port = Object.keys(old.values)[0] ?? Object.keys(old.types)[0] ?? "value";
      this.value([id, port], value);
    }
  }

  value([id, port]: End, value: Value): void {
    const old = this.get(id);
    this.put(id, { ...old, values: { ...old.values, [port]: value } });
  }

  private put(id: string, facts: Facts): void {
    const old = this.facts.get(id);
    if (old && JSON.stringify(old) === JSON.stringify(facts)) return;
    this.facts.set(id, facts);
    this.tell(id);
  }

  private tell(id: string): void {
    for (const listener of [...(this.listeners.get(id) ?? [])]) listener();
  }
}

/** The value a node shows: its first output, or what a named result received. */
export function shownValue(facts: Facts): Value | undefined {
  return facts.values.value ?? Object.values(facts.values)[0];
}

/** Whether a node only waits for a wire or a value: it is unfinished rather than wrong. */
export const isUnfinished = (error: WireError): boolean => error.kind === "missing-input";
