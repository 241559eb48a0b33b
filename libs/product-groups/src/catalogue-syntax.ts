import type { Node } from 'yaml';
import { Composer, CST, Lexer, Parser } from 'yaml';
import { catalogueLimits } from './catalogue-limits.ts';
import type { FoundProblem } from './catalogue-reader.ts';

/** What the YAML of a catalogue amounts to: its outermost value, or what keeps it from being read. */
export interface CatalogueSyntax {
  readonly root: Node | null;
  readonly problems: readonly FoundProblem[];
}

/** What YAML can do and a catalogue may not, by the kind of its lexeme. */
const refused: Readonly<Record<string, string>> = {
  anchor: 'anchors are not allowed in a catalogue',
  alias: 'aliases are not allowed in a catalogue',
  tag: 'tags are not allowed in a catalogue',
  'directive-line': 'directives are not allowed in a catalogue',
};

/** Reads the text as YAML 1.2, of which JSON is a part, without anchors, aliases, tags, directives, second documents. */
export function readCatalogueSyntax(text: string): CatalogueSyntax {
  if (isTooLong(text)) return { root: null, problems: [problemAt(0, 'the text is longer than 1 MiB')] };
  const { tokens, problems } = parseTokens(text);
  if (problems.length > 0) return { root: null, problems };
  // Duplicate keys are looked for by the reader, because this library compares each key with each other one.
  const composer = new Composer({ version: '1.2', stringKeys: true, uniqueKeys: false, logLevel: 'silent' });
  const [document] = composer.compose(tokens, true, text.length);
  const errors = (document?.errors ?? []).map(({ pos, message }) => problemAt(pos[0], inOneLine(message)));
  if (errors.length > 0) return { root: null, problems: errors };
  return { root: document?.contents ?? null, problems: [] };
}

/** Feeds the parser one lexeme at a time, so that reading stops where a limit is passed. */
function parseTokens(text: string): { tokens: CST.Token[]; problems: FoundProblem[] } {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const problems: FoundProblem[] = [];
  let lexemes = 0;
  let afterScalarMark = false;
  let documentEnded = false;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    // The lexeme after the mark is text, whatever it begins with.
    const refusal = afterScalarMark ? undefined : refused[CST.tokenType(lexeme) ?? ''];
    if (refusal !== undefined) problems.push(problemAt(offset, refusal, 'Write the catalogue without it.'));
    if (problems.length >= catalogueLimits.problems) break;
    afterScalarMark = !afterScalarMark && lexeme === CST.SCALAR;
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'document') documentEnded = true;
    }
    const excess = excessOf(parser, ++lexemes, documentEnded);
    if (excess !== undefined) {
      problems.push(problemAt(offset, excess));
      break;
    }
  }
  if (problems.length === 0) for (const token of parser.end()) tokens.push(token);
  return { tokens, problems };
}

/** What is too much of the text read so far; undefined while nothing is. */
function excessOf(parser: Parser, lexemes: number, documentEnded: boolean): string | undefined {
  if (lexemes > catalogueLimits.lexemes) return `more than ${catalogueLimits.lexemes} words and marks up to here`;
  if (parser.stack.length > catalogueLimits.depth) return 'values are nested too deeply';
  const documentOpen = parser.stack[0]?.type === 'document';
  return documentEnded && documentOpen ? 'a catalogue is one document; a second one begins here' : undefined;
}

function isTooLong(text: string): boolean {
  // The first comparison spares encoding what is too long by far.
  return text.length > catalogueLimits.bytes || new TextEncoder().encode(text).length > catalogueLimits.bytes;
}

function problemAt(offset: number, message: string, remedy?: string): FoundProblem {
  return { offset, path: '', message, ...(remedy === undefined ? {} : { remedy }) };
}

function inOneLine(message: string): string {
  const line = message.replace(/\s+/g, ' ');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
