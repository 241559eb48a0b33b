import { MusterError } from '@muster/product-groups';
import { z } from 'zod';

/**
 * The settings of a service: environment variables by name, each a zod schema that parses its text, with a default
 * where it may be left out and a description.
 */
export type SettingsShape = Readonly<Record<string, z.ZodType<unknown, string | undefined>>>;

/** Parsed settings. */
export type Settings<Shape extends SettingsShape> = { readonly [Name in keyof Shape]: z.output<Shape[Name]> };

/**
 * Parses the settings of a service from its environment.
 *
 * @throws MusterError `SETTING_INVALID` that lists every wrong or missing setting at once.
 */
export function loadSettings<Shape extends SettingsShape>(
  shape: Shape,
  environment: Readonly<Record<string, string | undefined>>,
): Settings<Shape> {
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(shape)) {
    // A variable that is set to nothing counts as not set.
    const text = environment[name] || undefined;
    const parsed = schema.safeParse(text);
    if (parsed.success) settings[name] = parsed.data;
    else
      problems.push(`${name}: ${text === undefined ? 'it is missing' : (parsed.error.issues[0]?.message ?? 'wrong')}`);
  }
  if (problems.length > 0) {
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: `The environment is wrong: ${problems.join('; ')}.`,
      remedy: 'Run with --help for every setting.',
    });
  }
  return settings as Settings<Shape>;
}

/** The text that `--help` prints: each setting with its meaning and its default. */
export function describeSettings(service: string, purpose: string, shape: SettingsShape): string {
  const lines = Object.entries(shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const rest = fallback.success ? ` (default: ${String(fallback.data ?? '') || 'none'})` : ' (required)';
    return `  ${name}\n      ${schema.description ?? ''}${rest}`;
  });
  return `${service}: ${purpose}\n\nSettings, from the environment:\n${lines.join('\n')}\n`;
}

/** A whole number in a range, written in decimal digits. */
export function wholeNumber(least: number, most: number) {
  const message = `it is a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,12}$/, message)
    .transform(Number)
    .refine((number) => number >= least && number <= most, message);
}

/** `host:port`. */
export function hostAndPort() {
  return z
    .string()
    .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'it is HOST:PORT')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'its port is at most 65535');
}

/** A text; an empty one counts as missing. */
export function text() {
  return z.string();
}
