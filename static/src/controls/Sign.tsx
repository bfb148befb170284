/** The mathematical sign of a card, on a tile in the colour of its category. */
export function Sign({ text, small = false }: { text: string; small?: boolean }) {
  const size = `${small ? " small" : ""}${text.length > 2 ? " long" : ""}`;
  return (
    <span className={`symbol${size}`} aria-hidden="true">
      {text}
    </span>
  );
}
