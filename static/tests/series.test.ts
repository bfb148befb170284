import { describe, expect, it } from "vitest";
import { pairsOf, Series } from "../src/store/series";

const pairs = (from: number, to: number, value: (step: number) => number) =>
  Float64Array.from(
    Array.from({ length: to - from + 1 }, (_, at) => [from + at, value(from + at)]).flat(),
  );

describe("a series", () => {
  it("takes each step once", () => {
    const series = new Series();
    series.push(pairs(1, 5, (step) => step));
    series.push(pairs(4, 7, (step) => step));
    expect([...series.steps.subarray(0, series.length)]).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(series.lastStep).toBe(7);
  });

  it("stays within its memory and never loses an extreme", () => {
    const series = new Series(64);
    series.push(pairs(1, 10_000, (step) => (step === 4321 ? 99 : step === 77 ? -99 : 0)));
    const values = [...series.values.subarray(0, series.length)];
    const steps = [...series.steps.subarray(0, series.length)];
    expect(series.length).toBeLessThanOrEqual(64);
    expect(values).toContain(99);
    expect(values).toContain(-99);
    expect(steps[values.indexOf(99)]).toBe(4321);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(series.lastStep).toBe(10_000);
  });

  it("starts anew with another epoch", () => {
    const series = new Series();
    series.push(pairs(1, 3, () => 1));
    series.clear(8);
    expect([series.length, series.lastStep, series.epoch]).toEqual([0, -1, 8]);
  });

  it("finds the nearest step", () => {
    const series = new Series();
    series.push(Float64Array.from([1, 0, 10, 0, 100, 0]));
    expect([0, 4, 7, 60, 1000].map((step) => series.nearest(step))).toEqual([0, 0, 1, 2, 2]);
  });
});

it("points are read from any place in a buffer", () => {
  const bytes = new Uint8Array(4 + 16);
  new DataView(bytes.buffer).setFloat64(4, 3, true);
  new DataView(bytes.buffer).setFloat64(12, 0.5, true);
  expect([...pairsOf(bytes.subarray(4))]).toEqual([3, 0.5]);
  expect([...pairsOf(bytes.slice(4).buffer)]).toEqual([3, 0.5]);
});
