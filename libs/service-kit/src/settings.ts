import { MusterError, nearestName } from '@muster/product-groups';
import { z } from 'zod';
import { toTarget } from './grpc-target.ts';
import type { SettingsFile } from './settings-file.ts';

/**
 * The settings of a service by name, each a zod schema that parses its text, with a default where it may be left out, a
 * description, and by `meta` the type that people read.
 */
export type SettingsShape = Readonly<Record<string, z.ZodType<unknown, string | undefined>>>;

/** Parsed settings. */
export type Settings<Shape extends SettingsShape> = { readonly [Name in keyof Shape]: z.output<Shape[Name]> };

/** Where the text of a setting stands. */
interface Source {
  readonly text: string | undefined;
  /** Tells it to people, where the name of the setting does not. */
  readonly place?: string;
  readonly problem?: string;
}

/** Reads a file whose content is a setting. */
export type ReadFile = (path: string) => string;

/** Where settings are read from, and what must hold between them. */
export interface SettingsSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile | undefined;
  readonly readFile?: ReadFile;
  /** What is wrong between the settings, given the text of each one that is set. */
  readonly check?: (texts: ReadonlyMap<string, string>) => readonly string[];
}

/**
 * Parses the settings of a service from its environment and its configuration file. The environment goes first. The
 * value of a secret may lie in a file of its own, which the setting's name with `_FILE` behind it names.
 *
 * @throws MusterError `SETTING_INVALID` that lists every wrong, missing or unknown setting at once.
 */
export function loadSettings<Shape extends SettingsShape>(shape: Shape, sources: SettingsSources): Settings<Shape> {
  const { file, check } = sources;
  const problems = [...(file?.problems ?? []), ...unknownNames(shape, file)];
  const settings: Record<string, unknown> = {};
  const texts = new Map<string, string>();
  for (const [name, schema] of Object.entries(shape)) {
    const { text, place = '', problem } = sourceOf(name, schema, sources);
    if (text !== undefined) texts.set(name, text);
    const parsed = schema.safeParse(text);
    if (problem !== undefined) problems.push(`${name}${place}: ${problem}`);
    else if (parsed.success) settings[name] = parsed.data;
    else if (text !== undefined || file?.readable !== false) {
      const reason = text === undefined ? 'it is missing' : (parsed.error.issues[0]?.message ?? 'it is wrong');
      problems.push(`${name}${place}: ${reason}`);
    }
  }
  if (file?.readable !== false) problems.push(...(check?.(texts) ?? []));
  if (problems.length > 0) {
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: `The settings are wrong: ${problems.join('; ')}.`,
      remedy: 'Run with --help for every setting.',
    });
  }
  return settings as Settings<Shape>;
}

function sourceOf(name: string, schema: z.ZodType, { environment, file, readFile }: SettingsSources): Source {
  // A variable that is set to nothing counts as not set.
  const direct = environment[name] || undefined;
  const path = isSecret(schema) ? environment[`${name}_FILE`] || undefined : undefined;
  const twice = { text: undefined, problem: `it is given twice, directly and by ${name}_FILE` };
  if (direct !== undefined && path !== undefined) return twice;
  if (direct !== undefined) return { text: direct };
  if (path !== undefined) return fromFile(path, readFile);
  const entry = file?.entries.get(name);
  const pathEntry = isSecret(schema) ? file?.entries.get(`${name}_FILE`) : undefined;
  if (entry !== undefined && pathEntry !== undefined) return { ...twice, place: ` (${pathEntry.place})` };
  if (entry !== undefined) return { text: entry.text || undefined, place: ` (${entry.place})` };
  return pathEntry === undefined ? { text: undefined } : fromFile(pathEntry.text, readFile);
}

function fromFile(path: string, readFile: ReadFile | undefined): Source {
  try {
    return { text: readFile?.(path).trim() || undefined, place: ` (in ${path})` };
  } catch (error) {
    return { text: undefined, place: ` (in ${path})`, problem: `the file cannot be read: ${(error as Error).message}` };
  }
}

function unknownNames(shape: SettingsShape, file: SettingsFile | undefined): string[] {
  const known = new Set(
    Object.entries(shape).flatMap(([name, schema]) => (isSecret(schema) ? [name, `${name}_FILE`] : [name])),
  );
  return [...(file?.entries ?? [])]
    .filter(([name]) => !known.has(name))
    .map(([name, { place }]) => {
      const nearest = nearestName(name, [...known]);
      const meant = nearest === undefined ? '' : `, perhaps ${nearest} is meant`;
      return `${name} (${place}): there is no such setting${meant}`;
    });
}

/** The text that `--help` prints: each setting with its type, its default and its meaning. */
export function describeSettings(service: string, purpose: string, shape: SettingsShape): string {
  const lines = Object.entries(shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const rest = fallback.success ? `default: ${describeDefault(fallback.data)}` : 'required';
    const file = isSecret(schema) ? ` Or ${name}_FILE: a file that holds it.` : '';
    return [`  ${name}`, ...wrapped(`${typeOf(schema)}; ${rest}`), ...wrapped(`${schema.description}.${file}`)].join(
      '\n',
    );
  });
  return `${service}: ${purpose}

Usage: ${service} [--config FILE] [--check] [--help]

  --config FILE  YAML file with settings by these names; the environment goes first. Also
                 MUSTER_CONFIG_FILE
  --check        read the settings, say what is wrong with them, and end
  --help         this text

Settings, from the environment or the file:
${lines.join('\n')}

Exit codes: 0 stopped as asked, 1 it could not start, failed or drained for too long, 2 wrong
settings.
`;
}

const helpWidth = 100;

/** A text in lines that fit the help, below the name that it is about. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= helpWidth) lines.splice(-1, 1, longer);
    else lines.push(`      ${word}`);
  }
  return lines;
}

function describeDefault(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : String(value ?? '');
  return text || 'none';
}

interface SettingMeta {
  /** The type as people read it. */
  readonly typeName?: string;
  /** It must not be seen in a list of processes or a manifest: it may lie in a file. */
  readonly secret?: boolean;
}

/** What `meta` says of a schema or of the one inside it. */
function metaOf(schema: z.ZodType): SettingMeta {
  let each: unknown = schema;
  let found: SettingMeta = {};
  for (let depth = 0; depth < 8 && each instanceof z.ZodType; depth += 1) {
    found = { ...(each.meta() as SettingMeta | undefined), ...found };
    each = (each.def as { readonly innerType?: unknown }).innerType;
  }
  return found;
}

function typeOf(schema: z.ZodType): string {
  return metaOf(schema).typeName ?? 'text';
}

function isSecret(schema: z.ZodType): boolean {
  return metaOf(schema).secret === true;
}

/** A whole number in a range, written in decimal digits. */
export function wholeNumber(least: number, most: number) {
  const message = `it is a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,12}$/, message)
    .transform(Number)
    .refine((number) => number >= least && number <= most, message)
    .meta({ typeName: `whole number from ${least} to ${most}` });
}

const hostAndPortPattern = /^(\[[0-9a-fA-F:.]+\]|[^:\s,]+):\d{1,5}$/;
const isHostAndPort = (text: string) =>
  hostAndPortPattern.test(text) && Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535;

/** `host:port`. */
export function hostAndPort() {
  return z
    .string()
    .regex(hostAndPortPattern, 'it is HOST:PORT')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'its port is at most 65535')
    .meta({ typeName: 'HOST:PORT' });
}

/** The address of a service: one `host:port`, or the IP addresses of several replicas, separated by commas. */
export function serviceAddress() {
  return z
    .string()
    .refine(
      (text) => text.split(',').every((each) => isHostAndPort(each.trim())),
      'it is HOST:PORT, or several with IP addresses, separated by commas',
    )
    .refine(hasTarget, 'several addresses have IP addresses, all of one family')
    .meta({ typeName: 'HOST:PORT[,HOST:PORT...]' });
}

function hasTarget(address: string): boolean {
  try {
    toTarget(address);
    return true;
  } catch {
    return false;
  }
}

/** A list of texts, separated by commas. */
export function list(typeName: string) {
  return z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== ''),
    )
    .meta({ typeName });
}

/** `on` or `off`. */
export function onOrOff() {
  return z.enum(['on', 'off'], 'it is on or off').meta({ typeName: 'on or off' });
}

/** A text; an empty one counts as missing. */
export function text(typeName = 'text') {
  return z.string().meta({ typeName });
}

/** A text that nobody should see, which may lie in a file of its own. */
export function secret(typeName = 'text') {
  return z.string().meta({ typeName, secret: true });
}

/** The path of a file. */
export function filePath() {
  return z.string().meta({ typeName: 'file' });
}
