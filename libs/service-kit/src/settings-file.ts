import { readFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';

/** What a configuration file says: the text of each setting and where it stands. */
export interface SettingsFile {
  readonly entries: ReadonlyMap<string, { readonly text: string; readonly place: string }>;
  /** What is wrong with the file itself. */
  readonly problems: readonly string[];
  /** Whether its settings could be read at all; what is missing from one that could not says nothing. */
  readonly readable: boolean;
}

/**
 * Reads a configuration file: a YAML mapping of the settings' names to texts, numbers or lists of them.
 *
 * @throws MusterError `SETTING_INVALID` when the file cannot be read.
 */
export function readSettingsFile(path: string): SettingsFile {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: `The configuration file ${path} cannot be read: ${(error as Error).message}.`,
      remedy: 'Name a file that exists and that this user may read, with --config or MUSTER_CONFIG_FILE.',
      cause: error,
    });
  }
  return parseSettingsFile(content, path);
}

/** Parses the text of a configuration file; `name` tells the file to people. */
export function parseSettingsFile(content: string, name: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(content, {
    lineCounter: lines,
    schema: 'failsafe',
    uniqueKeys: true,
    prettyErrors: false,
  });
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const problems = document.errors.map((error) => `${placeOf(error.pos[0])}: ${error.message}`);
  const entries = new Map<string, { text: string; place: string }>();
  const { contents } = document;
  if (problems.length > 0) return { entries, problems, readable: false };
  if (contents === null || (isScalar(contents) && !contents.value)) return { entries, problems, readable: true };
  if (!isMap(contents)) {
    return { entries, problems: [`${name}: it is a mapping of settings to their values`], readable: false };
  }
  for (const { key, value } of contents.items) {
    const place = placeOf(isScalar(key) ? (key.range?.[0] ?? 0) : 0);
    const text = textOf(value);
    if (!isScalar(key) || typeof key.value !== 'string') problems.push(`${place}: a setting has a name`);
    else if (text === undefined) problems.push(`${key.value} (${place}): it is a text, a number or a list of them`);
    else entries.set(key.value, { text, place });
  }
  return { entries, problems, readable: true };
}

/** The text of a scalar, or of a list of scalars separated by commas; undefined for anything else. */
function textOf(value: unknown): string | undefined {
  if (value === null) return '';
  if (isScalar(value)) return String(value.value ?? '');
  if (!isSeq(value)) return undefined;
  const items = value.items.map((item) => (isScalar(item) ? String(item.value ?? '') : undefined));
  return items.includes(undefined) ? undefined : items.join(',');
}
