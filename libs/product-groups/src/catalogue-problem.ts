/** One thing that is wrong with the text of a catalogue, and where. */
export interface CatalogueProblem {
  /** The name of the text, usually a file's, as it was given to `parseCatalogue`. */
  readonly source: string;
  /** 1 for the first line. */
  readonly line: number;
  /** 1 for the first character of the line; counted in UTF-16 code units, as editors do. */
  readonly column: number;
  /** The place in the catalogue, such as `applications.windows.validityDays`; empty for the whole or for syntax. */
  readonly path: string;
  /** What is wrong, in one sentence without a full stop. */
  readonly message: string;
  /** What to do about it, where the message does not say it already. */
  readonly remedy?: string;
}

/**
 * A problem in one line, in the form that editors and build tools recognise: `file:line:column: path: message`.
 * Without a path, that part is left out.
 */
export function formatCatalogueProblem(problem: CatalogueProblem): string {
  const place = `${problem.source}:${problem.line}:${problem.column}`;
  return [place, ...(problem.path === '' ? [] : [problem.path]), problem.message].join(': ');
}
