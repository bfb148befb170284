import type { GalleryEntry } from "../store/app";
import type { GraphDocument } from "../store/document";
import type { Palette } from "../store/palette";

async function getJson<T>(path: string): Promise<T> {
  const reply = await fetch(path, { headers: { Accept: "application/json" } });
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`);
  return (await reply.json()) as T;
}

export const getPalette = () => getJson<Palette>("/api/palette");
export const getGallery = () => getJson<GalleryEntry[]>("/api/gallery");
export const getGalleryDocument = (name: string) =>
  getJson<GraphDocument>(`/api/gallery/${encodeURIComponent(name)}.json`);
export const getVersion = () => getJson<{ version?: string }>("/api/version");

export const downloadUrl = (graphId: string) => `/api/graphs/${encodeURIComponent(graphId)}.json`;

/** Trade the token of the opened address for a cookie, and take it out of sight. */
export async function startSession(): Promise<boolean> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
    await fetch("/api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  }
  const reply = await fetch("/api/session");
  return reply.ok && ((await reply.json()) as { ok?: boolean }).ok === true;
}
