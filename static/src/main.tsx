import { createRoot } from "react-dom/client";
import { App } from "./App";
import "@xyflow/react/dist/base.css";
import "./style/tokens.css";
import "./style/base.css";
import "./style/house.css";
import "./style/canvas.css";
import "./style/panels.css";
import "./style/overlays.css";
import "./style/rewrites.css";
import { boot } from "./verbs/boot";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
void boot();
