import { useEffect, useRef } from "react";
import { Icon } from "../controls/Icon";
import { useApp } from "../controls/useApp";
import { dismiss, type Notice } from "../store/app";

const ICONS = { info: "info", success: "check", warning: "alert", error: "alert" };
const STAY_MS = { info: 5000, success: 3000, warning: 7000, error: 12_000 };

export function Notices() {
  const notices = useApp((state) => state.notices);
  const layer = useRef<HTMLDivElement>(null);
  // Shown anew, so that it lies over a dialog that was opened in the meantime.
  useEffect(() => {
    if (notices.length === 0) return;
    layer.current?.showPopover();
    return () => layer.current?.hidePopover();
  }, [notices]);
  return (
    <div className="notices" aria-live="polite" popover="manual" ref={layer}>
      {notices.map((notice) => (
        <Note key={notice.id} {...notice} />
      ))}
    </div>
  );
}

function Note({ id, level, message, hint }: Notice) {
  useEffect(() => {
    const timer = setTimeout(() => dismiss(id), STAY_MS[level]);
    return () => clearTimeout(timer);
  }, [id, level]);
  return (
    <div className={`notice ${level}`} role={level === "error" ? "alert" : "status"}>
      <Icon name={ICONS[level]} />
      <p>
        {message}
        {hint && <span className="quiet-text"> {hint}</span>}
      </p>
      <button
        type="button"
        className="button quiet square"
        aria-label="Dismiss"
        onClick={() => dismiss(id)}
      >
        <Icon name="close" size={13} />
      </button>
    </div>
  );
}
