import { lawWords } from "../store/film";

/** What the marks that matter do, to what, and what that means. */
const TAGS: Record<string, [verb: string, what: string, title: string]> = {
  erases_nan: ["erases ", "NaN", "A NaN or an infinity may no longer show after this step"],
  hides_error: ["hides ", "error", "An error of shapes may no longer show after this step"],
};

interface Props {
  tags: readonly string[];
  /** Whether the marks that hide nothing are shown, too. */
  all?: boolean;
}

/** What a step may hide. */
export function Tags({ tags, all = false }: Props) {
  return tags.map((tag) => {
    if (!all && !TAGS[tag]) return null;
    const [verb, what, title] = TAGS[tag] ?? ["", lawWords(tag)];
    return (
      <span className={`film-tag${TAGS[tag] ? " hiding" : ""}`} key={tag} title={title}>
        <span className="film-tag-verb">{verb}</span>
        {what}
      </span>
    );
  });
}
