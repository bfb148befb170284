import { useEffect, useState } from "react";
import "katex/dist/katex.min.css";

/** A formula, set by KaTeX, which is fetched when the first one is shown. */
export function Formula({ tex }: { tex: string }) {
  const [html, setHtml] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    void import("katex").then(({ default: katex }) => {
      const options = { displayMode: true, throwOnError: false, trust: false, maxExpand: 1000 };
      if (current) setHtml(katex.renderToString(tex, options));
    });
    return () => {
      current = false;
    };
  }, [tex]);
  if (html === null) return <div className="formula" />;
  // biome-ignore lint/security/noDangerouslySetInnerHtml: KaTeX escapes what it sets (trust: false)
  return <div className="formula" dangerouslySetInnerHTML={{ __html: html }} />;
}
