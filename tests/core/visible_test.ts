/** Names of strangers move no cursor and turn no text. */
import assert from "node:assert/strict";
import { visible, visibleLine } from "../../core/visible.ts";

Deno.test("controls and marks of direction become escapes that JSON reads back", () => {
  const odd = "a\x1b[31mred\x07\r\x7f\x9b2J\u202e\u2066\u200f\u061c\u2028z";
  const shown = visible(JSON.stringify(odd));
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(shown, /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
  assert.equal(JSON.parse(shown), odd);
  assert.equal(visible("plain text, ünïcödé, 漢字\n\tnext"), "plain text, ünïcödé, 漢字\n\tnext");
  assert.equal(visibleLine("a\nfake: 0"), "a\\nfake: 0");
});
