import { useState } from "react";
import { Dialog } from "../controls/Dialog";
import { useApp } from "../controls/useApp";
import { saveGraph } from "../verbs/graph";

/** Edits are kept at once; saving gives the graph the title it is found again by. */
export function SaveDialog() {
  const now = useApp((state) => state.doc?.title ?? "");
  const [title, setTitle] = useState(now);
  return (
    <Dialog title="Save the graph" testId="save-dialog">
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim()) void saveGraph(title.trim());
        }}
      >
        <label htmlFor="save-title">Title</label>
        <input
          id="save-title"
          className="field"
          autoFocus
          value={title}
          data-testid="save-title"
          onChange={(event) => setTitle(event.target.value)}
        />
        <p className="quiet-text">You find it again under My graphs.</p>
        <div className="form-foot">
          <button type="submit" className="button primary" disabled={!title.trim()}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
