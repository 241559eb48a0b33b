import { identifierRule, isIdentifier } from '@muster/product-groups';
import { z } from 'zod';
import { jwkSchema } from './public-key.ts';

// 9999-12-31T23:59:59Z: later times have no four-digit year and do not stay exact as milliseconds everywhere.
const latestSeconds = 253_402_300_799;

/** A claim in whole seconds since 1970 (RFC 7519 NumericDate), until the year 9999. */
export const secondsSchema = z.int().min(0).max(latestSeconds);

/** The key that the document is about (RFC 7800). */
export const confirmationSchema = z.strictObject({ jwk: jwkSchema });

/** An identifier of the catalogue (DESIGN 2.1). */
export const identifierSchema = z.string().refine(isIdentifier, `must be an identifier (${identifierRule})`);

/** A UUID in its canonical spelling: lower case, 8-4-4-4-12 (RFC 9562). */
export const uuidSchema = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a UUID in lower case');

/** Epoch milliseconds to the second that contains them. */
export function toSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
