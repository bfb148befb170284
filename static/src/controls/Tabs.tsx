interface Props<Name extends string> {
  tabs: readonly (readonly [name: Name, label: string])[];
  open: Name;
  label: string;
  onOpen: (name: Name) => void;
}

/** A row of tabs, of which one is open. */
export function Tabs<Name extends string>({ tabs, open, label, onOpen }: Props<Name>) {
  return (
    <div role="tablist" aria-label={label}>
      {tabs.map(([name, text]) => (
        <button
          key={name}
          type="button"
          role="tab"
          aria-selected={open === name}
          data-testid={`tab-${name}`}
          onClick={() => onOpen(name)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
