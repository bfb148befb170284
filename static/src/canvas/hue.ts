import type { Palette } from "../store/palette";

/** Hues far apart from each other, in the order in which categories come. */
const HUES = [264, 200, 32, 152, 320, 88, 232, 12, 176, 292, 60, 120];

export function hueOf(palette: Palette | null, category: string | undefined): number {
  const at = category ? (palette?.categories.indexOf(category) ?? -1) : -1;
  return HUES[at % HUES.length] ?? 264;
}
