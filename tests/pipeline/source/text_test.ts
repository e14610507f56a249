/** Text as samples: ids by a tokenizer, in the inputs and the length that a model takes. */
import assert from "node:assert/strict";
import { PlimsollError } from "../../../core/errors.ts";
import {
  inputsOf,
  type InputTensor,
  type RawText,
  type Sample,
  type SampleInput,
} from "../../../core/tensor.ts";
import { placedSamples } from "../../../pipeline/source/sample_opener.ts";
import { openTokenizer } from "../../../pipeline/source/tokenizer.ts";
import { loadTokenizer, textInputs } from "../../../pipeline/source/text_inputs.ts";
import { VOCABULARY, wordPieceFile } from "../../support/word_piece.ts";

const tokens = (ids: readonly number[]) => ids.map((id) => VOCABULARY[id]).join(" ");
const rows = (input: SampleInput) =>
  Object.fromEntries(
    inputsOf({ input }).map(([name, { data, dims }]) => [name, [Array.from(data, Number), dims]]),
  );

Deno.test("a text becomes the tokens that WordPiece makes by hand", async () => {
  const tokenizer = await openTokenizer(wordPieceFile());
  const { ids, types, length } = tokenizer.encode(
    { text: "The ship is UNLOADED, Plimsoll." },
    Infinity,
  );
  // Lower case, longest pieces first, commas apart, and what is in no vocabulary unknown.
  assert.equal(tokens(ids), "[CLS] the ship is un ##load ##ed , [UNK] . [SEP]");
  assert.deepEqual(ids, [2, 4, 5, 10, 12, 13, 7, 17, 1, 18, 3]);
  assert.deepEqual([types, length], [ids.map(() => 0), 11]);
});

Deno.test("a pair has types of its tokens", async () => {
  const tokenizer = await openTokenizer(wordPieceFile());
  const { ids, types } = tokenizer.encode({ text: "Loaded?", pair: "High tide." }, Infinity);
  assert.equal(tokens(ids), "[CLS] load ##ed ? [SEP] high tide . [SEP]");
  assert.deepEqual(types, [0, 0, 0, 0, 0, 1, 1, 1, 1]);
});

Deno.test("pairs have the types that their processor gives: one of RoBERTa's, two of none", async () => {
  const file = wordPieceFile();
  const marks = {
    sep: ["[SEP]", 3],
    cls: ["[CLS]", 2],
    trim_offsets: true,
    add_prefix_space: false,
  };
  const post_processors = [{ type: "RobertaProcessing", ...marks }, null, {
    type: "ByteLevel",
    ...{ add_prefix_space: false, trim_offsets: true, use_regex: true },
  }];
  const found = [];
  for (const post_processor of post_processors) {
    const tokenizer = await openTokenizer({ ...file, post_processor });
    const { ids, types } = tokenizer.encode({ text: "high", pair: "low tide" }, Infinity);
    found.push([tokens(ids), types.join("")]);
  }
  assert.deepEqual(found, [
    ["[CLS] high [SEP] [SEP] low tide [SEP]", "0000000"],
    ["high low tide", "011"],
    ["high low tide", "011"],
  ]);
});

Deno.test("what is too long loses tokens of text, the longer of a pair first, and no mark around them", async () => {
  const tokenizer = await openTokenizer(wordPieceFile());
  const cut = (most: number, text: string, pair?: string) =>
    tokens(tokenizer.encode({ text, ...pair === undefined ? {} : { pair } }, most).ids);
  assert.equal(cut(5, "the ship is high"), "[CLS] the ship is [SEP]");
  assert.equal(cut(6, "the ship is high"), "[CLS] the ship is high [SEP]");
  assert.equal(cut(7, "the ship is high", "a tide"), "[CLS] the ship [SEP] a tide [SEP]");
  assert.equal(cut(7, "a tide", "the ship is high"), "[CLS] a tide [SEP] the ship [SEP]");
  assert.equal(cut(6, "the ship is high", "a low tide"), "[CLS] the ship [SEP] a [SEP]");
  assert.equal(cut(6, "a low tide", "the ship is high"), "[CLS] a [SEP] the ship [SEP]");
  assert.equal(cut(8, "the", "a low tide , the ship"), "[CLS] the [SEP] a low tide , [SEP]");
});

Deno.test("the files say how long a text may be, on which side it is cut, and what fills up", async () => {
  const file = { ...wordPieceFile(), truncation: { max_length: 5, direction: "Left" } };
  const left = await openTokenizer(file, { model_max_length: 512 });
  assert.equal(left.maxLength, 5);
  assert.equal(
    tokens(left.encode({ text: "the ship is high" }, 512).ids),
    "[CLS] ship is high [SEP]",
  );
  const any = await openTokenizer(wordPieceFile(), { model_max_length: 1e30, pad_token: "[SEP]" });
  assert.deepEqual([any.maxLength, any.padId], [Infinity, 3]);
});

Deno.test("a model gets what its inputs are called, and no more", async () => {
  const tokenizer = await openTokenizer(wordPieceFile());
  const take = (...names: string[]) =>
    rows(textInputs(tokenizer, names.map((name) => ({ name })))({ text: "a", pair: "low" }, "t"));
  assert.deepEqual(take("input_ids", "attention_mask", "token_type_ids", "position_ids"), {
    input_ids: [[2, 11, 3, 15, 3], [5]],
    attention_mask: [[1, 1, 1, 1, 1], [5]],
    token_type_ids: [[0, 0, 0, 1, 1], [5]],
    position_ids: [[0, 1, 2, 3, 4], [5]],
  });
  assert.deepEqual(Object.keys(take("input_ids:0", "input_mask:0", "segment_ids:0")), [
    "input_ids:0",
    "input_mask:0",
    "segment_ids:0",
  ]);
  assert.deepEqual(take("words"), { words: [[2, 11, 3, 15, 3], [5]] });
  assert.throws(() => take("input_ids", "past_key_values.0.key"), /past_key_values/);
  assert.throws(() => take("attention_mask", "token_type_ids"), /none that takes ids/);
});

Deno.test("a model of a fixed length gets rows of it, and is told once what doesn't fit", async () => {
  const tokenizer = await openTokenizer(wordPieceFile());
  const notes: string[] = [];
  const inputs = ["input_ids", "attention_mask"].map((name) => ({ name, shape: [1, 5] }));
  const take = textInputs(tokenizer, inputs, (text) => notes.push(text));
  assert.deepEqual(rows(take({ text: "a tide" }, "t")), {
    input_ids: [[2, 11, 16, 3, 0], [5]],
    attention_mask: [[1, 1, 1, 1, 0], [5]],
  });
  assert.equal(notes.length, 0);
  for (const id of ["one", "two"]) take({ text: "the ship is high" }, id);
  assert.deepEqual(notes, ["one has 6 tokens: what is behind 5 is cut off, here and elsewhere"]);
  const bare = textInputs(tokenizer, inputs.slice(0, 1), (text) => notes.push(text));
  bare({ text: "a" }, "three");
  assert.match(notes[1], /^three has 3 tokens for 5 positions .* padding counts/);
});

const LINES = [
  '{"text": "The ship is loaded.", "label": 1}',
  '{"text": "Is a line high?", "text_pair": "The lines."}',
].join("\n");

Deno.test("lines of text become samples with labels, by the library's tokenizer", async () => {
  const tokenize = await loadTokenizer(wordPieceFile(), {
    inputs: [{ name: "input_ids" }, { name: "token_type_ids" }],
  });
  const opener = placedSamples(new TextEncoder().encode(LINES), { tokenize });
  const [first, second] = await Array.fromAsync((await opener.open()).samples);
  assert.deepEqual([first.index, first.label, second.index, second.label], [0, 1, 1, undefined]);
  assert.deepEqual(rows(first.input).input_ids[0], [2, 4, 5, 10, 6, 7, 18, 3]);
  assert.deepEqual(rows(second.input).token_type_ids[0], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
});

Deno.test("text without a tokenizer is refused with what helps, also where broken samples are skipped", async () => {
  const opener = placedSamples(new TextEncoder().encode(LINES), { onBroken: () => {} });
  const { samples } = await opener.open();
  await assert.rejects(
    Array.fromAsync(samples),
    (error: PlimsollError) => error.kind === "usage" && /tokenizer\.json/.test(error.message),
  );
});

Deno.test("a line has numbers or text, and a file that is no tokenizer is refused", async () => {
  for (const line of ['{"text": "a", "input": [1]}', '{"label": 1}', '{"text": 5}']) {
    const { samples } = await placedSamples(new TextEncoder().encode(line), { format: "ndjson" })
      .open();
    await assert.rejects(Array.fromAsync(samples), PlimsollError, line);
  }
  for (const file of [null, {}, { ...wordPieceFile(), model: { type: "Runes" } }]) {
    await assert.rejects(
      openTokenizer(file),
      (error: PlimsollError) => error.kind === "input" && /tokenizer/.test(error.message),
    );
  }
});

Deno.test("a file of text is a sample a line, whatever it begins with, and records in one stay records", async () => {
  const open = async (name: string, content: string, options = {}) => {
    const tokenize = ({ text }: RawText): SampleInput => ({
      data: Float32Array.of(text.length),
      dims: [1],
    });
    const file = new File([content], name);
    const { samples } = await placedSamples(file, { tokenize, ...options }).open();
    return await Array.fromAsync(samples);
  };
  const lengths = (samples: Sample[]) =>
    samples.map(({ input }) => Number((input as InputTensor).data[0]));
  const lines = "BM is how images begin\r\n\n  \nthe second \nthe third";
  const all = await open("lines.txt", lines);
  assert.deepEqual(lengths(all), [22, 10, 9]);
  assert.deepEqual(all.map(({ index, id }) => [index, id]), [
    [0, "lines.txt:1"],
    [1, "lines.txt:4"],
    [2, "lines.txt:5"],
  ]);
  assert.deepEqual(lengths(await open("lines", lines, { format: "text", limit: 2 })), [22, 10]);
  const labels = { file: { name: "labels", labels: [3, 1, 2] } };
  const labelled = await open("lines.txt", lines, { labels });
  assert.deepEqual(labelled.map(({ label }) => label), [3, 1, 2]);
  assert.deepEqual(lengths(await open("records.txt", LINES)), [19, 15]);
  assert.deepEqual(lengths(await open("records.txt", LINES, { format: "text" })), [43, 54]);
});
