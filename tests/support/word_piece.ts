/** A WordPiece tokenizer as Hugging Face writes them, small enough to be followed by hand. */

/** Tokens; their ids are their positions. */
export const VOCABULARY = [
  ..."[PAD] [UNK] [CLS] [SEP]".split(" "),
  ..."the ship load ##ed line ##s is a un ##load high low tide , . ?".split(" "),
];

/** Content of `tokenizer.json`. */
export function wordPieceFile(vocabulary: readonly string[] = VOCABULARY) {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
  const id = (token: string) => vocabulary.indexOf(token);
  const cls = { SpecialToken: { id: "[CLS]", type_id: 0 } };
  const sequence = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  const sep = (type_id: number) => ({ SpecialToken: { id: "[SEP]", type_id } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      ...{ id: id(content), content, single_word: false, lstrip: false, rstrip: false },
      ...{ normalized: false, special: true },
    })),
    normalizer: {
      ...{ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true },
      ...{ strip_accents: null, lowercase: true },
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [cls, sequence("A", 0), sep(0)],
      pair: [cls, sequence("A", 0), sep(0), sequence("B", 1), sep(1)],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((
          token,
        ) => [token, { id: token, ids: [id(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      ...{ type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##" },
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, i) => [token, i])),
    },
  };
}
