/**
 * Options that take several values where other commands take one.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";

/**
 * Makes options of a command take lists: values with commas between them, each as the option took it before. Defaults
 * become lists, too.
 *
 * @param keys Names of the options as `opts()` has them.
 */
export function takeLists(command: Command, keys: readonly string[]): Command {
  for (const option of command.options) {
    if (!keys.includes(option.attributeName())) continue;
    const parseOne = option.parseArg;
    option.argParser((text: string) =>
      text.split(",").map((part) => {
        const word = part.trim();
        if (word === "") throw new InvalidArgumentError("Give values with commas between them.");
        return parseOne === undefined ? word : parseOne(word, undefined as never);
      })
    );
    option.flags = option.flags.replace(/>$/, ",…>");
    if (option.defaultValue !== undefined) {
      option.default([option.defaultValue], String(option.defaultValue));
      command.setOptionValueWithSource(option.attributeName(), option.defaultValue, "default");
    }
  }
  return command;
}
