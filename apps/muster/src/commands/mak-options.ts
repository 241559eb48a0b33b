import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { collect } from './parse.ts';

/** The options that commands for MAKs share. */
export const makOptions = {
  application: () =>
    new Option('--application <id>', 'application of the product, from the catalogue').argParser(parseId),
  edition: () => new Option('--edition <id>', 'edition of the product, from the catalogue').argParser(parseId),
  fingerprint: () =>
    new Option(
      '--fingerprint <hex>',
      'its fingerprint, 64 hexadecimal digits (default: that of this machine)',
    ).argParser(parseFingerprint),
  keyFile: () => new Option('--key-file <file>', 'file that holds the MAK, - for standard input'),
  store: () =>
    new Option(
      '--store <file>',
      "file that keeps the confirmation (default: one for each edition, in the user's data)",
    ),
  vendorKey: () =>
    new Option('--vendor-key <file>', "a vendor's public key (JWK) to believe; repeatable")
      .argParser(collect)
      .default([] as readonly string[], 'those that this user has remembered'),
};

/** The rule of `isIdentifier`, whose library is loaded only when a command runs. */
function parseId(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError('An identifier has 1 to 64 lower-case letters, digits and hyphens.');
}

function parseFingerprint(text: string): Uint8Array {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  throw new InvalidArgumentError('A fingerprint has 64 hexadecimal digits.');
}
