import { type ReactNode, useEffect, useRef } from "react";
import { invoke } from "../commands";
import { Icon } from "./Icon";

interface Props {
  title: string;
  kind?: "small" | "wide" | "list";
  /** Without a way out: there is nothing behind it yet. */
  closable?: boolean;
  children: ReactNode;
  testId?: string;
}

/** A modal sheet: the focus stays inside, and goes back where it was when it closes. */
export function Dialog({ title, kind = "small", closable = true, children, testId }: Props) {
  const sheet = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    sheet.current?.showModal();
    const find = (what: string) => sheet.current?.querySelector<HTMLElement>(what);
    (find("input") ?? find(".dialog-sheet"))?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, through onCancel
    <dialog
      ref={sheet}
      className={`dialog ${kind}`}
      aria-label={title}
      data-testid={testId}
      onCancel={(event) => {
        event.preventDefault();
        if (closable) invoke("deselect");
      }}
      onClick={(event) => {
        if (closable && event.target === sheet.current) invoke("deselect");
      }}
    >
      <div className="dialog-sheet" tabIndex={-1}>
        {kind !== "list" && (
          <header className="dialog-head">
            <h2>{title}</h2>
            {closable && (
              <button
                type="button"
                className="button quiet square"
                aria-label="Close"
                onClick={() => invoke("deselect")}
              >
                <Icon name="close" />
              </button>
            )}
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
