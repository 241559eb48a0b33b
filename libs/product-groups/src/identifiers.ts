import { MusterError } from './errors.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Identifies an application in a catalogue: machines are counted per application (DESIGN 2). */
export type ApplicationId = Branded<'ApplicationId'>;
/** Identifies an edition, what a client is, within its application. */
export type EditionId = Branded<'EditionId'>;
/** Identifies a product group within its application. */
export type ProductGroupId = Branded<'ProductGroupId'>;
/** Identifies a platform that a host may run on, within its catalogue. */
export type HostPlatformId = Branded<'HostPlatformId'>;

/** The rule of identifiers in words, for messages. */
export const identifierRule = 'lower-case letters, digits and hyphens, 1 to 64 characters, first a letter or digit';

/** Whether a text has the form of an identifier (`identifierRule`, DESIGN 2.1). */
export function isIdentifier(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(text);
}

/** Takes a text as the id of an application. @throws MusterError `INPUT_INVALID` when it is no identifier. */
export function applicationId(text: string): ApplicationId {
  return identifier(text, 'an application') as ApplicationId;
}

/** Takes a text as the id of an edition. @throws MusterError `INPUT_INVALID` when it is no identifier. */
export function editionId(text: string): EditionId {
  return identifier(text, 'an edition') as EditionId;
}

/** Takes a text as the id of a product group. @throws MusterError `INPUT_INVALID` when it is no identifier. */
export function productGroupId(text: string): ProductGroupId {
  return identifier(text, 'a product group') as ProductGroupId;
}

/** Takes a text as the id of a host platform. @throws MusterError `INPUT_INVALID` when it is no identifier. */
export function hostPlatformId(text: string): HostPlatformId {
  return identifier(text, 'a host platform') as HostPlatformId;
}

function identifier(text: string, ofWhat: string): string {
  if (isIdentifier(text)) return text;
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `${JSON.stringify(text.slice(0, 80))} is not an identifier of ${ofWhat}.`,
    remedy: `Use ${identifierRule}.`,
  });
}
