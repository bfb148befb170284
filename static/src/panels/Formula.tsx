import { useEffect, useState } from "react";
import "katex/dist/katex.min.css";

interface Props {
  tex: string;
  /** Whether it may go on in a next line, rather than beyond the edge. */
  wraps?: boolean;
}

/** A formula, set by KaTeX, which is fetched when the first one is shown. */
export function Formula({ tex, wraps = false }: Props) {
  const [html, setHtml] = useState<string | null>(null);
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
  if (html === null) return <div className="formula" />;
  // biome-ignore lint/security/noDangerouslySetInnerHtml: KaTeX escapes what it sets (trust: false)
  return <div className="formula" dangerouslySetInnerHTML={{ __html: html }} />;
}
