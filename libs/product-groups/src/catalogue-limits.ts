/** How much is read of a text before it is refused, so that no text can keep a service busy. */
export const catalogueLimits = {
  /** The size in bytes of UTF-8: 1 MiB. */
  bytes: 1_048_576,
  /** Words, marks and blanks as YAML's lexer counts them: enough for some 1,300 editions. */
  lexemes: 60_000,
  /** Values within values; a catalogue needs 8. */
  depth: 20,
  /** Problems that are reported at once. */
  problems: 50,
} as const;
