interface Props {
  on: boolean;
  label: string;
  /** Beside the knob. */
  text: string;
  title?: string;
  testId: string;
  disabled?: boolean;
  onChange: (on: boolean) => void;
}

/** A switch that is on or off. */
export function Switch({ on, label, text, title, testId, disabled, onChange }: Props) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label={label}
      title={title}
      data-testid={testId}
      className="switch nodrag"
      disabled={disabled}
      onClick={() => onChange(!on)}
    >
      <span className="switch-knob" />
      {text}
    </button>
  );
}
