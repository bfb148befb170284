import { app, notify } from "../store/app";
import { getPalette, startSession } from "../transport/http";
import { connect, listen } from "../transport/socket";
import { complain } from "./failure";
import { watchRewrites } from "./film";
import { loadGallery, reopenLast } from "./graph";
import { keepPreferences, recall } from "./preferences";
import { resumeRun, takeFrame, tellRun } from "./run";
import { resume, watchOutbox } from "./sync";

export async function boot(): Promise<void> {
  keepPreferences();
  watchOutbox(tellRun);
  watchRewrites();
  listen("run_frame", takeFrame);
  listen("server_notice", ({ level, message }) =>
    notify(level === "error" || level === "warning" ? level : "info", message),
  );
  try {
    if (!(await startSession())) {
      app.setState({ connection: "refused" });
      return;
    }
    const [palette] = await Promise.all([getPalette(), loadGallery()]);
    app.setState({ palette });
  } catch {
    app.setState({ connection: "offline" });
    notify("error", "The server cannot be reached.", "Start it, then reload this page.");
    return;
  }
  connect({
    up: () => void came(),
    down: () => app.setState({ connection: "offline", wire: null }),
    refused: () => app.setState({ connection: "refused" }),
  });
}

let first = true;

async function came(): Promise<void> {
  app.setState({ connection: "online" });
  try {
    const { graphId } = app.getState();
    if (graphId) {
      await resume(graphId);
      await resumeRun();
    } else if (first) {
      const last = recall().graphId;
      if (!last || !(await reopenLast(last))) app.setState({ overlay: "home" });
    }
    first = false;
  } catch (failure) {
    complain(failure);
  }
}
