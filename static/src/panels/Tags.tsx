import { lawWords } from "../store/film";

/** What the marks that matter do, to what, and what that means. */
const TAGS: Record<string, [verb: string, what: string, title: string]> = {
  erases_nan: ["erases ", "NaN", "A NaN or an infinity may no longer show after this step"],
  hides_error: ["hides ", "error", "An error of shapes may no longer show after this step"],
};

/** What a step may hide. */
export function Tags({ tags }: { tags: readonly string[] }) {
  return tags.map((tag) => {
    const [verb, what, title] = TAGS[tag] ?? ["", lawWords(tag)];
    return (
      <span className="film-tag" key={tag} title={title}>
        <span className="film-tag-verb">{verb}</span>
        {what}
      </span>
    );
  });
}
