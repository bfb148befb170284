import { useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { type AppState, app, facts } from "../store/app";
import type { Facts } from "../store/facts";

/** Read a part of the state; the component is drawn again only when that part changes. */
export function useApp<T>(selector: (state: AppState) => T): T {
  return useStore(app, selector);
}

/** What the server last said of one node. */
export function useFacts(id: string): Facts {
  return useSyncExternalStore(
    (listener) => facts.subscribe(id, listener),
    () => facts.get(id),
  );
}
