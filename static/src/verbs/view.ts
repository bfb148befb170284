import { app, type Overlay, type PanelName, select } from "../store/app";
import type { Point } from "../store/document";
import { viewport } from "../store/viewport";
import { cardOfNode } from "./edit";
import { dropWire } from "./wire";

export function openOverlay(overlay: Overlay): void {
  app.setState({ overlay, quickAdd: null });
}

export function openHome(homeTab: "gallery" | "graphs" | "runs"): void {
  app.setState({ overlay: "home", homeTab, quickAdd: null });
}

/** The reference, open at a card; else at that of the selected node. */
export function openReference(entry?: string): void {
  const { selection, entry: before } = app.getState();
  const [selected] = selection.nodes;
  const card = selected ? cardOfNode(selected) : undefined;
  app.setState({ helpTab: "reference", entry: entry ?? card?.id ?? before });
  openOverlay("help");
}

export const askTitle = () => openOverlay("save");

/** The menu of everything that can be added, where the pointer is. */
export function openQuickAdd(): void {
  const view = viewport();
  const box = view?.element()?.getBoundingClientRect();
  if (!view || !box) return;
  const [x, y] = view.pointer();
  const inside = x > box.left && x < box.right && y > box.top && y < box.bottom;
  if (inside) quickAddAt([x, y]);
  else showQuickAdd([box.left + box.width / 2 - 140, box.top + 96], null);
}

export function quickAddAt(screen: Point): void {
  showQuickAdd(screen, viewport()?.toFlow(screen) ?? null);
}

function showQuickAdd(screen: Point, flow: Point | null): void {
  app.setState(({ wire }) => ({ quickAdd: { screen, flow, wire }, overlay: null }));
}

export function closeQuickAdd(): void {
  app.setState({ quickAdd: null });
  viewport()?.element()?.focus();
}

export function openWirePicker(): void {
  if (app.getState().selection.nodes.length > 0) openOverlay("wire");
}

export function startRename(): void {
  const [id] = app.getState().selection.nodes;
  if (id) app.setState({ renaming: id });
}

/** One key to get out: the topmost open thing closes, else the selection goes. */
export function backOut(): void {
  const { overlay, quickAdd, doc, renaming, menu } = app.getState();
  dropWire();
  if (menu) openMenu(null);
  else if (quickAdd) closeQuickAdd();
  else if (renaming) app.setState({ renaming: null });
  else if (overlay && doc) {
    app.setState({ overlay: null });
    viewport()?.element()?.focus();
  } else select([]);
}

/** Show a panel or hide it. The rewrites lie where the training is unfolded: one makes room for the other. */
export function togglePanel(panel: PanelName): void {
  const { panels } = app.getState();
  const view = viewport();
  const wasWhole = view?.element()?.hasAttribute("data-whole");
  const next =
    panel === "train" && panels.rewrites
      ? { ...panels, train: true, rewrites: false }
      : { ...panels, [panel]: !panels[panel] };
  app.setState({ panels: next });
  // What was in view as a whole stays so: a film may be about any of it.
  if (next.rewrites !== panels.rewrites && wasWhole) requestAnimationFrame(() => view?.fit());
}

/** Fold a group of cards or unfold it, or every group there is. */
export function foldGroup(id: string, open: boolean, all: boolean): void {
  app.setState(({ folds, palette }) => {
    const ids = all ? [id, ...(palette?.categories ?? [])] : [id];
    return { folds: { ...folds, ...Object.fromEntries(ids.map((one) => [one, open])) } };
  });
}

export function focusPalette(): void {
  const { panels } = app.getState();
  app.setState({ panels: { ...panels, palette: true } });
  requestAnimationFrame(() => document.getElementById("palette-search")?.focus());
}

export function switchTheme(): void {
  const { theme } = app.getState();
  const dark =
    theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  app.setState({ theme: dark ? "light" : "dark" });
}

export function switchLogScale(): void {
  app.setState({ logScale: !app.getState().logScale });
}

export function openMenu(at: Point | null): void {
  app.setState({ menu: at });
}
