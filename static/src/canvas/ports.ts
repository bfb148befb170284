// How a type looks on a port and a wire: colour is the dtype, shape is the rank.

import type { Type } from "../protocol";

const FAMILIES: [pattern: RegExp, family: string][] = [
  [/^bool/, "bool"],
  [/^uint/, "uint"],
  [/^int/, "int"],
  [/^float16/, "half"],
  [/^float32/, "single"],
  [/^float/, "double"],
  [/^complex/, "complex"],
];

export const dtypeClass = (type: Type | undefined): string => {
  const family = type && FAMILIES.find(([pattern]) => pattern.test(type.dtype))?.[1];
  return family ? `dtype-${family}` : "dtype-unknown";
};

export const rankClass = (type: Type | undefined): string =>
  type ? `rank-${["scalar", "vector", "matrix"][type.shape.length] ?? "tensor"}` : "rank-unknown";

/** `x.0` reads as x with a small 0. */
export function portWords(name: string): { stem: string; slot: string | null } {
  const dot = name.lastIndexOf(".");
  return dot < 0
    ? { stem: name, slot: null }
    : { stem: name.slice(0, dot), slot: name.slice(dot + 1) };
}
