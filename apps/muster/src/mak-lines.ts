import { isIdentifier, MusterError } from '@muster/product-groups';

/** An installation as a file names it. */
export interface NamedInstallation {
  /** 64 hexadecimal digits in small letters. */
  readonly installationId: string;
  readonly application: string;
  readonly edition: string;
}

/** Reads the value of a line, or tells what is wrong with it. */
export type ReadLine<Line> = (value: Record<string, unknown>) => Line | string;

/** A format of files that hold one JSON document in each line, the first of which names the format. */
export interface LineFormat<Line> {
  readonly name: string;
  readonly read: ReadLine<Line>;
}

const version = 1;
/** One line; an id and a JWT of 2,048 characters take less. */
const mostLineCharacters = 8_192;

/** The first line, with its end. */
export function headerOf({ name }: LineFormat<unknown>): string {
  return `${JSON.stringify({ format: name, version })}\n`;
}

/** The text of lines, each with its end. */
export function textOf(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** The format that a text says it has; undefined when it says none. */
export function formatOf(text: string): string | undefined {
  const [first = ''] = text.split('\n', 1);
  const { format } = parseObject(first) ?? {};
  return typeof format === 'string' ? format : undefined;
}

/**
 * Reads the lines of a text.
 *
 * @param file for messages.
 * @throws MusterError `DOCUMENT_INVALID` that names the line.
 */
export function readLines<Line>(format: LineFormat<Line>, text: string, file: string): readonly Line[] {
  const [first = '', ...rest] = text.split(/\r?\n/);
  if (`${first}\n` !== headerOf(format)) {
    throw invalid(file, 1, `it does not begin with ${headerOf(format).trim()}`);
  }
  return rest.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const value = line.length <= mostLineCharacters ? parseObject(line) : undefined;
    const parsed = value === undefined ? 'it is not a JSON object of this format' : format.read(value);
    if (typeof parsed === 'string') throw invalid(file, index + 2, parsed);
    return [parsed];
  });
}

/** The installation that a line names, or what is wrong with it. */
export function readInstallation(value: Record<string, unknown>): NamedInstallation | string {
  const { installationId, application, edition } = value;
  if (typeof installationId !== 'string' || !/^[0-9a-f]{64}$/.test(installationId)) {
    return 'its installationId is not 64 hexadecimal digits';
  }
  if (typeof application !== 'string' || !isIdentifier(application)) return 'its application is no identifier';
  if (typeof edition !== 'string' || !isIdentifier(edition)) return 'its edition is no identifier';
  return { installationId, application, edition };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function invalid(file: string, line: number, problem: string): MusterError {
  return new MusterError({
    code: 'DOCUMENT_INVALID',
    message: `${file} cannot be used: line ${line}: ${problem}.`,
    remedy: 'Give a file as `muster client mak request`, `muster mak collect` or `muster mak submit` wrote it.',
  });
}
