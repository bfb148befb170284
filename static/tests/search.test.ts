import { describe, expect, it } from "vitest";
import { search, suggest } from "../src/store/search";
import { card, palette } from "./graphs";

const named = (id: string, change = {}) =>
  card({
    id,
    op: id,
    label: id.replaceAll("_", " "),
    symbol: "s",
    aliases: [],
    doc: "",
    ...change,
  });

const ids = (cards: ReturnType<typeof named>[], query: string, fits = null as never) =>
  search(cards, query, fits).map((hit) => hit.card.id);

describe("searching", () => {
  const cards = [
    named("said", { doc: "Much like a fold of tensors." }),
    named("unfold"),
    named("big_fold"),
    named("folder", { aliases: ["foldable"] }),
    named("reduce", { aliases: ["fold"] }),
    named("fold"),
    named("grouped", { category: "Folding" }),
  ];

  it("ranks the name, another name, a beginning, a part, and a word of the doc", () => {
    expect(ids(cards, "fold")).toEqual([
      "fold",
      "reduce",
      "folder",
      "big_fold",
      "unfold",
      "said",
      "grouped",
    ]);
  });

  it("says which other name was meant, and says nothing of the card's own", () => {
    const aliases = search(cards, "fold").map((hit) => hit.alias);
    expect(aliases.slice(0, 3)).toEqual([null, "fold", null]);
    expect(search(palette.cards, "⊕")).toMatchObject([{ card: { id: "blend" }, alias: null }]);
  });

  it("takes a name however it is written, and out of a call", () => {
    for (const query of ["big_fold", "Big fold", "bigfold", "np.lib.big_fold(x, axis=0)"]) {
      expect(ids(cards, query)[0]).toBe("big_fold");
    }
  });

  it("wants every word to be there", () => {
    expect(ids(cards, "tensors fold")).toEqual(["said"]);
    expect(ids(cards, "tensors nothing")).toEqual([]);
  });

  it("puts what has a port for the wire before what matches about as well", () => {
    const fits = { said: "x", unfold: null, folder: "x", fold: null, reduce: null };
    expect(ids(cards, "fold", fits as never)).toEqual([
      "folder",
      "fold",
      "reduce",
      "said",
      "big_fold",
      "unfold",
      "grouped",
    ]);
  });

  it("offers everything but hidden cards to an empty query, in their own order", () => {
    const hidden = named("old", { hidden: true });
    expect(ids([hidden, ...cards], " ")).toEqual(cards.map((one) => one.id));
    expect(ids([hidden], "old")).toEqual([]);
  });

  it("knows what a slip was meant to be", () => {
    expect(suggest(cards, "fodl").map((hit) => hit.card.id)).toEqual(["fold", "reduce"]);
    expect(suggest(cards, "bigfolds")[0]?.card.id).toBe("big_fold");
    expect(suggest(cards, "flux capacitor")).toEqual([]);
  });
});
