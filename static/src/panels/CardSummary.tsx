import type { Card } from "../store/palette";

/** A card in words: how it is called, what it does, its other names, whether it has a gradient. */
export function CardSummary({ card }: { card: Card }) {
  return (
    <>
      {card.signature && <Signature text={card.signature} />}
      <p className="doc">{card.doc}</p>
      {card.aliases.length > 0 && (
        <p className="quiet-text">
          Also called <span className="mono">{card.aliases.join(", ")}</span>
        </p>
      )}
      {card.no_gradient && <p className="quiet-text">No gradient: {card.no_gradient}.</p>}
    </>
  );
}

/** A call as Python writes it; it breaks between arguments only. */
function Signature({ text }: { text: string }) {
  const [name = "", ...rest] = text.split("(");
  const parts = rest.join("(").split(/(?<=, )(?=[A-Za-z_])/);
  return (
    <p className="signature mono">
      <strong>{name}</strong>(
      {parts.map((part) => (
        <span key={part}>{part}</span>
      ))}
    </p>
  );
}
