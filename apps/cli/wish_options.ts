/**
 * The wishes of a recipe as options of a command, made from their table.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { commandLineWording, optionName, wordOptions } from "../../core/option_words.ts";
import { formOf, parseWish, wantedOf, type Wish } from "../../tpc/recipe/wish.ts";
import { WISH_ENTRIES, type Wishes, type WishKey } from "../../tpc/recipe/wishes.ts";

/** Which wishes a command can honour. */
export type IsOffered = (wish: Wish, key: WishKey) => boolean;

/** All of them: for whoever runs every pass. */
export const EVERY_WISH: IsOffered = () => true;

/** What decides which tensors are watched in which graph, and what the statistics must know. */
export const CALIBRATED_WISHES: IsOffered = ({ place }, key) =>
  place !== undefined || key === "requantize";

/** What can be decided from statistics: their graph and their passes are what they are. */
export const SEARCHED_WISHES: IsOffered = ({ place }, key) =>
  place !== undefined && place[0] !== "rewrites" || key === "requantize";

/** Adds an option for each wish that is offered. */
export function addWishOptions(command: Command, isOffered: IsOffered): Command {
  for (const [key, wish] of WISH_ENTRIES) {
    if (isOffered(wish, key)) command.addOption(wishOption(key, wish));
  }
  return command;
}

function wishOption(key: string, wish: Wish): Option {
  const { text, otherwise, hint = "wanted", isFlag } = wish;
  const flags = `--${optionName(key)}${isFlag ? "" : ` <${hint}>`}`;
  const words = wordOptions(`${text} (default: ${otherwise})`, commandLineWording);
  const option = new Option(flags, words);
  if (isFlag) return option;
  const form = formOf(wish.schema);
  if (form.kind === "choice" && typeof form.values[0] === "string") {
    return option.choices(form.values as string[]);
  }
  if (form.kind === "yesNo") {
    option.argChoices = ["yes", "no"];
  }
  return option.argParser((given: string) => valueOf(wish, given));
}

function valueOf(wish: Wish, text: string): unknown {
  const value = parseWish(wish, text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError(
    formOf(wish.schema).kind === "yesNo"
      ? "Allowed choices are yes, no."
      : `Give ${wantedOf(wish)}.`,
  );
}

/** Makes options that are yes when named take a value, where several values may be given. */
export function asLists(command: Command): Command {
  for (const [key, wish] of WISH_ENTRIES) {
    const option = wish.isFlag && command.options.find((entry) => entry.attributeName() === key);
    if (!option) continue;
    option.flags = `${option.flags} <wanted>`;
    option.required = true;
    option.argParser((given: string) => valueOf(wish, given));
  }
  return command;
}

/** The wishes among the options of a command. */
export function wishesIn(options: Readonly<Record<string, unknown>>): Wishes {
  return Object.fromEntries(
    WISH_ENTRIES.flatMap(([key]) => options[key] === undefined ? [] : [[key, options[key]]]),
  );
}
