/** From how many characters on a sign is set smaller, and smaller still. */
const LONG = 3;
const LONGER = 6;

/** The mathematical sign of a card, on a tile in the colour of its category. */
export function Sign({ text, small = false }: { text: string; small?: boolean }) {
  const { length } = [...text];
  const size = length >= LONGER ? " longer" : length >= LONG ? " long" : "";
  return (
    <span className={`symbol${small ? " small" : ""}${size}`} aria-hidden="true">
      {text}
    </span>
  );
}
