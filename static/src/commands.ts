// Every verb a person has, once. Toolbar, menus, shortcuts, the command palette and the cheat sheet
// are all read from this table.

import { type AppState, app, isLive, redo, undo } from "./store/app";
import { rowsOf } from "./store/film";
import { viewport } from "./store/viewport";
import * as edit from "./verbs/edit";
import * as film from "./verbs/film";
import * as graph from "./verbs/graph";
import * as run from "./verbs/run";
import * as view from "./verbs/view";

export type Group =
  | "Graph"
  | "Edit"
  | "Select"
  | "View"
  | "Compute"
  | "Train"
  | "Rewrites"
  | "Help";

export interface Command {
  name: string;
  label: string;
  group: Group;
  /** Shortcuts such as `Mod+Shift+Z`; the first is shown. Mod is Ctrl, or ⌘ on a Mac. */
  keys: string[];
  icon: string;
  doc: string;
  enabled: (state: AppState) => boolean;
  run: () => void;
}

const always = () => true;
const hasGraph = (state: AppState) => state.doc !== null;
const hasSelection = (state: AppState) => state.selection.nodes.length > 0;
const hasOne = (state: AppState) => state.selection.nodes.length === 1;
const hasProblems = (state: AppState) => state.summary.problems.length > 0;
const hasParts = (state: AppState) => hasSelection(state) || state.selection.edges.length > 0;
const online = (state: AppState) => state.connection === "online";
const callable = (state: AppState) => hasGraph(state) && online(state);
const trainable = (state: AppState) => callable(state) && state.summary.trainable;
const training = (state: AppState) => online(state) && isLive(state.run);
const startable = (state: AppState) => trainable(state) || training(state);
const steppable = (state: AppState) =>
  isLive(state.run) ? online(state) && state.run?.state === "paused" : trainable(state);
const restartable = (state: AppState) => callable(state) && state.run !== null;

const filmed = ({ panels, rewrites }: AppState) => panels.rewrites && rowsOf(rewrites).length > 0;
const askable = (state: AppState) => callable(state) && state.panels.rewrites;

type Row = [
  name: string,
  label: string,
  keys: string[],
  icon: string,
  enabled: (state: AppState) => boolean,
  run: () => void,
  doc: string,
];

// biome-ignore format: a table is read along its rows
const rows: Record<Group, Row[]> = {
  Graph: [
    ["home", "Gallery", ["G", "Mod+O"], "gallery", always, () => view.openHome("gallery"),
      "Example graphs, your graphs and runs"],
    ["new", "New graph", ["Alt+N"], "file", online, () => void graph.openEmpty(),
      "Start from an empty canvas"],
    ["graphs", "My graphs", [], "folder", online, () => view.openHome("graphs"),
      "Graphs kept on this server"],
    ["open_file", "Open a file…", [], "upload", online, graph.chooseFile,
      "Open a graph from a JSON file; or drop one anywhere"],
    ["save", "Save…", ["Mod+S"], "save", callable, view.askTitle,
      "Give the graph a title and keep it"],
    ["export", "Export JSON", ["Mod+Shift+E"], "download", callable, () => void graph.exportGraph(),
      "Download the graph as a JSON file"],
  ],
  Edit: [
    ["undo", "Undo", ["Mod+Z"], "undo", (state) => state.undo.length > 0, undo,
      "Take back the last change"],
    ["redo", "Redo", ["Mod+Shift+Z", "Mod+Y"], "redo", (state) => state.redo.length > 0, redo,
      "Make the change again"],
    ["add_node", "Add a node…", ["A", "Tab"], "plus", hasGraph, view.openQuickAdd,
      "Search all variables and ops; also double-click the canvas"],
    ["wire", "Wire from node…", ["W"], "wire", hasSelection, view.openWirePicker,
      "Wire the selected node without the mouse"],
    ["rename", "Rename", ["F2"], "rename", hasOne, view.startRename,
      "Name the selected node"],
    ["delete", "Delete", ["Delete", "Backspace"], "trash", hasParts, edit.deleteSelection,
      "Remove the selected nodes and wires"],
    ["copy", "Copy", ["Mod+C"], "copy", hasSelection, () => void edit.copyToClipboard(),
      "Copy nodes as JSON text"],
    ["paste", "Paste", ["Mod+V"], "paste", hasGraph, () => void edit.pasteFromClipboard(),
      "Insert nodes, or a whole graph, from the clipboard"],
    ["duplicate", "Duplicate", ["Mod+D"], "copy", hasSelection, edit.duplicate,
      "Copy the selected nodes beside themselves"],
    ["tidy", "Tidy up", ["Shift+T"], "tidy", hasGraph, () => edit.tidy(),
      "Lay the graph out from left to right"],
  ],
  Select: [
    ["select_all", "Select all", ["Mod+A"], "select", hasGraph, edit.selectAll,
      "Select every node"],
    ["select_upstream", "Select what feeds it", ["Shift+U"], "upstream", hasSelection, () => edit.selectStream("up"),
      "Everything the selection depends on"],
    ["select_downstream", "Select what it feeds", ["Shift+D"], "downstream", hasSelection, () => edit.selectStream("down"),
      "Everything that depends on the selection"],
    ["deselect", "Deselect", ["Escape"], "close", always, view.backOut,
      "Close what is open, or select nothing"],
    ["next_problem", "Next problem", ["E"], "alert", hasProblems, edit.nextProblem,
      "Go to the next node that has a problem"],
  ],
  View: [
    ["fit", "Fit view", ["F", "Shift+1"], "fit", hasGraph, () => viewport()?.fit(),
      "Show the whole graph"],
    ["fit_selection", "Fit selection", ["Shift+2"], "fit", hasSelection, () => viewport()?.fit(app.getState().selection.nodes),
      "Show what is selected"],
    ["zoom_in", "Zoom in", ["+", "="], "zoom_in", hasGraph, () => viewport()?.zoomBy(1.25),
      "Closer"],
    ["zoom_out", "Zoom out", ["-"], "zoom_out", hasGraph, () => viewport()?.zoomBy(0.8),
      "Farther"],
    ["zoom_reset", "Zoom to 100 %", ["0"], "zoom_in", hasGraph, () => viewport()?.zoomTo(1),
      "Natural size"],
    ["toggle_palette", "Palette", ["["], "panel_left", always, () => view.togglePanel("palette"),
      "Show or hide the palette"],
    ["toggle_inspector", "Inspector", ["]"], "panel_right", always, () => view.togglePanel("inspector"),
      "Show or hide the inspector"],
    ["toggle_train", "Train panel", ["P"], "panel_bottom", always, () => view.togglePanel("train"),
      "Show or hide the train panel"],
    ["find", "Search the palette", ["/"], "search", always, view.focusPalette,
      "Put the cursor into the search of the palette"],
    ["theme", "Light or dark", ["Shift+L"], "theme", always, view.switchTheme,
      "Switch between light and dark"],
    ["log_scale", "Logarithmic cost", ["L"], "chart", always, view.switchLogScale,
      "Draw the cost on a logarithmic axis"],
  ],
  Compute: [
    ["call", "Call", ["Mod+Enter", "C"], "call", callable, () => void graph.callGraph(),
      "Compute the outputs once, then apply the updates"],
    ["reset", "Reset", ["Shift+R"], "reset", callable, () => void graph.resetGraph(),
      "Put shared variables back to their initial values"],
  ],
  Train: [
    ["train", "Train", ["T"], "play", startable, () => void run.toggleRun(),
      "Start training; again to pause and to go on"],
    ["train_step", "Step", ["."], "step", steppable, () => void run.stepRun(),
      "Train one single step"],
    ["train_stop", "Stop", ["Shift+X"], "stop", training, () => void run.controlRun("stop"),
      "End the run; what it recorded stays"],
    ["train_reset", "Start over", ["Shift+O"], "reset", restartable, () => void run.resetRun(),
      "End the run, clear the chart, initial values again"],
    ["runs", "Runs", [], "chart", online, () => view.openHome("runs"),
      "All runs on this server"],
  ],
  Rewrites: [
    ["toggle_rewrites", "Rewrites", ["R"], "rewrites", always, () => view.togglePanel("rewrites"),
      "Show or hide how the graph is improved before it runs, step by step"],
    ["film_play", "Play the rewrites", ["Shift+P"], "play", filmed, film.togglePlay,
      "Play the steps one after the other; again to pause"],
    ["film_back", "Step back", ["ArrowLeft", "ArrowUp"], "step_back", filmed, () => film.goBy(-1),
      "To the rewriting step before"],
    ["film_forward", "Step forward", ["ArrowRight", "ArrowDown"], "step", filmed, () => film.goBy(1),
      "To the next rewriting step"],
    ["film_again", "Rewrite again", [], "reset", askable, () => void film.askFilm(),
      "Ask for the steps of the graph as it is now"],
    ["strict", "Strict rewriting", [], "check", hasGraph, () => edit.setStrict(!app.getState().doc?.training?.strict),
      "Use only laws that never hide a NaN or an error, or all again"],
  ],
  Help: [
    ["commands", "All commands…", ["Mod+K"], "search", always, () => view.openOverlay("commands"),
      "Search everything Wiregrad can do"],
    ["help", "Help", ["?"], "help", always, () => view.openOverlay("help"),
      "A short first hour, the keys, and what every op does"],
    ["reference", "Reference", ["F1"], "book", always, () => view.openReference(),
      "What every op does, open at the selected one"],
  ],
};

export const commands: readonly Command[] = Object.entries(rows).flatMap(([group, list]) =>
  list.map(([name, label, keys, icon, enabled, verb, doc]) => ({
    name,
    label,
    group: group as Group,
    keys,
    icon,
    doc,
    enabled,
    run: verb,
  })),
);

const byName = new Map(commands.map((command) => [command.name, command]));

export function command(name: string): Command {
  const found = byName.get(name);
  if (!found) throw new Error(`There is no command ${name}.`);
  return found;
}

export function invoke(name: string): void {
  const found = command(name);
  if (found.enabled(app.getState())) found.run();
}
