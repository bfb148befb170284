// What this browser remembers: how things look, and which graph was open. Nothing else.

import { app, type PanelName, type Theme } from "../store/app";
import type { Folds } from "../store/rows";

const KEY = "wiregrad";

interface Remembered {
  graphId?: string | null;
  theme?: Theme;
  panels?: Record<PanelName, boolean>;
  folds?: Folds;
  logScale?: boolean;
  speed?: number | null;
}

export function recall(): Remembered {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Remembered;
  } catch {
    return {};
  }
}

export function remember(change: Remembered): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...recall(), ...change }));
  } catch {
    // A browser that stores nothing still works; it only forgets.
  }
}

export function keepPreferences(): void {
  const { theme, panels, folds, logScale, speed } = recall();
  app.setState((state) => ({
    theme: theme ?? state.theme,
    panels: { ...state.panels, ...panels },
    folds: folds ?? state.folds,
    logScale: logScale ?? state.logScale,
    speed: speed === undefined ? state.speed : speed,
  }));
  wear(app.getState().theme);
  app.subscribe((state, before) => {
    const { theme, panels, folds, logScale, speed } = state;
    if (theme !== before.theme) wear(theme);
    if (
      theme !== before.theme ||
      panels !== before.panels ||
      folds !== before.folds ||
      logScale !== before.logScale ||
      speed !== before.speed
    ) {
      remember({ theme, panels, folds, logScale, speed });
    }
  });
}

function wear(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}
