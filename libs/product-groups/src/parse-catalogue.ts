import { LineCounter } from 'yaml';
import type { Catalogue } from './catalogue.ts';
import { catalogueLimits } from './catalogue-limits.ts';
import type { CatalogueProblem } from './catalogue-problem.ts';
import type { FoundProblem } from './catalogue-reader.ts';
import { CatalogueReader } from './catalogue-reader.ts';
import { readCatalogue } from './catalogue-shape.ts';
import { readCatalogueSyntax } from './catalogue-syntax.ts';

/** A catalogue, or everything that is wrong with its text. */
export type ParsedCatalogue =
  | { readonly ok: true; readonly catalogue: Catalogue }
  | { readonly ok: false; readonly problems: readonly CatalogueProblem[] };

/**
 * Reads a catalogue from YAML or JSON (DESIGN 2.1). It never throws for any text: all problems come back at once, in
 * the order of the text, the first 50 of them. While the text is not even YAML, only that is reported.
 *
 * @param sourceName what to call the text in problems, usually the name of its file
 * @example
 * const parsed = parseCatalogue(text, 'products.yaml');
 * if (!parsed.ok) for (const problem of parsed.problems) print(formatCatalogueProblem(problem));
 */
export function parseCatalogue(text: string, sourceName: string): ParsedCatalogue {
  // A byte order mark is no character of the first line.
  const content = text.startsWith('\u{FEFF}') ? text.slice(1) : text;
  const syntax = readCatalogueSyntax(content);
  if (syntax.problems.length > 0) return refused(syntax.problems, content, sourceName);
  const reader = new CatalogueReader();
  const keyOffset = syntax.root?.range?.[0] ?? 0;
  const catalogue = readCatalogue(reader, { node: syntax.root, path: '', keyOffset });
  if (reader.problems.length > 0) return refused(reader.problems, content, sourceName);
  return { ok: true, catalogue };
}

function refused(found: readonly FoundProblem[], text: string, source: string): ParsedCatalogue {
  const first = found.toSorted((a, b) => a.offset - b.offset).slice(0, catalogueLimits.problems);
  const lines = lineCounterOf(text);
  const problems = first.map(({ offset, path, message, remedy }) => {
    const { line, col } = lines.linePos(offset);
    return { source, line, column: col, path, message, ...(remedy === undefined ? {} : { remedy }) };
  });
  return { ok: false, problems };
}

function lineCounterOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) lines.addNewLine(end + 1);
  return lines;
}
