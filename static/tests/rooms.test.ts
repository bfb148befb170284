// The rooms and who may enter which.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");

/** What the files of a room may import of ours. The corridor is commands, keyboard and verbs. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  store: ["protocol"],
  layout: ["store"],
  transport: ["protocol", "store"],
  verbs: ["protocol", "store", "layout", "transport"],
  commands: ["store", "verbs"],
  keyboard: ["store", "verbs", "commands"],
  controls: ["protocol", "store", "verbs", "commands", "keyboard"],
  canvas: ["protocol", "store", "verbs", "commands", "controls"],
  panels: ["protocol", "store", "layout", "verbs", "commands", "controls", "canvas"],
};
const ROOF = ["App", "main"];

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file))
  .sort();

const roomOf = (file: string) => file.split("/")[0]?.replace(/\.tsx?$/, "") ?? "";

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found]
    .map(([, path = ""]) => relative(SRC, resolve(SRC, dirname(file), path)))
    .filter((path) => !path.endsWith(".css"));
}

describe.each(files.filter((file) => !ROOF.includes(roomOf(file))))("%s", (file) => {
  const room = roomOf(file);

  it("imports only from the rooms below", () => {
    const allowed = new Set([room, ...(MAY_IMPORT[room] ?? [])]);
    const wrong = importsOf(file).filter((path) => !allowed.has(roomOf(path)));
    expect(wrong).toEqual([]);
  });

  if (room === "store" || room === "layout") {
    it("knows neither React nor the socket", () => {
      const text = readFileSync(join(SRC, file), "utf8");
      expect(text).not.toMatch(/from "(react|@xyflow|socket\.io)/);
    });
  }
});
