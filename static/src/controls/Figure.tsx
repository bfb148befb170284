interface Props {
  label: string;
  testId: string;
  /** The number itself, for programs that read the page. */
  value: unknown;
  of?: string;
  children: string;
}

/** A number with its label before it, in a row of such. */
export function Figure({ label, testId, value, of, children }: Props) {
  return (
    <span className="number">
      <span className="number-label">{label}</span>
      <span className="mono" data-testid={testId} data-value={String(value)}>
        {children}
      </span>
      {of && <span className="mono faint">{of}</span>}
    </span>
  );
}
