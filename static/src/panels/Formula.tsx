import { useEffect, useLayoutEffect, useRef, useState } from "react";
import "katex/dist/katex.min.css";

/** How small a formula is set that would not fit otherwise. */
const SMALLEST = 0.7;

interface Props {
  tex: string;
  /** Whether it is to fit: it goes on in a next line, and is set smaller, before it is cut off. */
  wraps?: boolean;
  /** The same as plain text, for what KaTeX cannot set. */
  text?: string;
}

/** A formula, set by KaTeX, which is fetched when the first one is shown. */
export function Formula({ tex, wraps = false, text }: Props) {
  const [html, setHtml] = useState<string | null>(null);
  const [plain, setPlain] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let current = true;
    void import("katex").then(({ default: katex }) => {
      if (!current) return;
      const options = { trust: false, maxExpand: 1000, displayMode: !wraps };
      const words = wraps ? `\\displaystyle ${tex}` : tex;
      try {
        setHtml(katex.renderToString(words, { ...options, throwOnError: text !== undefined }));
      } catch {
        setPlain(true);
      }
    });
    return () => {
      current = false;
    };
  }, [tex, wraps, text]);
  useLayoutEffect(() => {
    if (!wraps || html === null) return;
    const shrink = () => {
      const element = place.current;
      if (!element) return;
      element.style.fontSize = "";
      const { clientWidth, scrollWidth } = element;
      const size = Math.max(SMALLEST, clientWidth / scrollWidth);
      if (size < 1) element.style.fontSize = `${size}em`;
    };
    shrink();
    // The first formula is measured before its fonts are there.
    void document.fonts.ready.then(shrink);
  }, [html, wraps]);
  if (plain) return <p className="formula mono">{text}</p>;
  if (html === null) return <div className="formula" />;
  // biome-ignore lint/security/noDangerouslySetInnerHtml: KaTeX escapes what it sets (trust: false)
  return <div className="formula" ref={place} dangerouslySetInnerHTML={{ __html: html }} />;
}
