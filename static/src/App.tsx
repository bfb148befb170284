import { ReactFlowProvider } from "@xyflow/react";
import { useEffect } from "react";
import { Canvas } from "./canvas/Canvas";
import { Fence } from "./controls/Fence";
import { useApp } from "./controls/useApp";
import { listenToKeys } from "./keyboard";
import { CommandPalette } from "./panels/CommandPalette";
import { DropVeil } from "./panels/DropVeil";
import { Help } from "./panels/Help";
import { Home } from "./panels/Home";
import { Inspector } from "./panels/Inspector";
import { Menu } from "./panels/Menu";
import { Notices } from "./panels/Notices";
import { Palette } from "./panels/Palette";
import { QuickAdd } from "./panels/QuickAdd";
import { Rewrites } from "./panels/Rewrites";
import { SaveDialog } from "./panels/SaveDialog";
import { TopBar } from "./panels/TopBar";
import { Train } from "./panels/Train";
import { WirePicker } from "./panels/WirePicker";

export function App() {
  const refused = useApp((state) => state.connection === "refused" && state.doc === null);
  const overlay = useApp((state) => state.overlay);
  useEffect(listenToKeys, []);
  useTitle();
  if (refused) return <Locked />;
  return (
    <>
      <House />
      <Fence what="sheet" key={overlay}>
        <Overlays />
      </Fence>
      <Menu />
      <QuickAdd />
      <Notices />
      <DropVeil />
    </>
  );
}

function House() {
  const panels = useApp((state) => state.panels);
  const opened = useApp((state) => state.opened);
  const hasGraph = useApp((state) => state.doc !== null);
  return (
    <div className="house">
      <TopBar />
      {panels.palette && (
        <Fence what="palette">
          <Palette />
        </Fence>
      )}
      <main className="work">
        {hasGraph ? (
          <ReactFlowProvider key={opened}>
            <Canvas />
          </ReactFlowProvider>
        ) : (
          <section className="canvas" />
        )}
        {panels.rewrites && (
          <Fence what="film">
            <Rewrites />
          </Fence>
        )}
        <Train />
      </main>
      {panels.inspector && <Inspector />}
    </div>
  );
}

function Overlays() {
  const overlay = useApp((state) => state.overlay);
  switch (overlay) {
    case "home":
      return <Home />;
    case "help":
      return <Help />;
    case "commands":
      return <CommandPalette />;
    case "wire":
      return <WirePicker />;
    case "save":
      return <SaveDialog />;
    default:
      return null;
  }
}

/** Nobody gets in without the address that the server printed. */
function Locked() {
  return (
    <main className="locked">
      <h1>Wiregrad</h1>
      <p>This page needs the whole address that the server printed when it started.</p>
      <p className="mono">http://127.0.0.1:…/#token=…</p>
      <p className="quiet-text">Open that address once; this browser then stays signed in.</p>
    </main>
  );
}

function useTitle(): void {
  const title = useApp((state) => state.doc?.title);
  useEffect(() => {
    document.title = title ? `${title} · Wiregrad` : "Wiregrad";
  }, [title]);
}
