import { useEffect, useLayoutEffect, useRef, useState } from "react";
import "katex/dist/katex.min.css";

/** How small a formula is set that would not fit otherwise. */
const SMALLEST = 0.7;

interface Props {
  tex: string;
  /** Whether it is to fit: it goes on in a next line, and is set smaller, before it is cut off. */
  wraps?: boolean;
}

/** A formula, set by KaTeX, which is fetched when the first one is shown. */
export function Formula({ tex, wraps = false }: Props) {
  const [html, setHtml] = useState<string | null>(null);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let current = true;
    void import("katex").then(({ default: katex }) => {
      const options = { throwOnError: false, trust: false, maxExpand: 1000 };
      const words = wraps ? `\\displaystyle ${tex}` : tex;
      if (current) setHtml(katex.renderToString(words, { ...options, displayMode: !wraps }));
    });
    return () => {
      current = false;
    };
  }, [tex, wraps]);
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
  if (html === null) return <div className="formula" />;
  // biome-ignore lint/security/noDangerouslySetInnerHtml: KaTeX escapes what it sets (trust: false)
  return <div className="formula" ref={place} dangerouslySetInnerHTML={{ __html: html }} />;
}
