import { isIdentifier, MusterError } from '@muster/product-groups';
import { ByteReader, ByteWriter } from './byte-fields.ts';
import { assembleHostCertificate, readHostCertificate, verifyHostCertificate } from './host-certificate.ts';
import { type ProductKey, parseProductKey } from './product-key.ts';
import { publicKeyBytes } from './public-key.ts';
import { decodeTextBlock, encodeTextBlock } from './text-block.ts';
import type { VendorKeys } from './vendor-keys.ts';

/**
 * What a host carries to its vendor and back to be activated for a KMS key without a network (DESIGN 3): a request and a
 * confirmation, each a text block, so that a file, a letter and a telephone carry the same.
 */
export interface HostActivationRequest {
  /** It is a secret of the customer, and stands in the request. */
  readonly productKey: ProductKey;
  /** UUID in lower case. */
  readonly hostId: string;
  /** Ed25519, 32 bytes. */
  readonly hostPublicKey: Uint8Array;
  /** The host platform that it says it runs on. */
  readonly hostPlatform: string;
  /** Milliseconds since 1970, cut to whole seconds. */
  readonly requestedAtMs: number;
}

const requestTitle = 'MUSTER ACTIVATION REQUEST';
const confirmationTitle = 'MUSTER ACTIVATION CONFIRMATION';
const version = 1;
const uuidBytes = 16;
const signatureBytes = 64;
/** So many bytes of the vendor's key id tell which of the trusted vendors signed. */
const keyHintBytes = 4;

/** Writes a request. Throws RangeError when the platform is longer than 255 bytes. */
export function encodeActivationRequest(request: HostActivationRequest): string {
  const bytes = new ByteWriter()
    .byte(version)
    .text(request.productKey.text.replaceAll('-', ''))
    .bytes(Buffer.from(request.hostId.replaceAll('-', ''), 'hex'))
    .bytes(request.hostPublicKey)
    .text(request.hostPlatform)
    .seconds(Math.floor(request.requestedAtMs / 1000))
    .finish();
  return encodeTextBlock(requestTitle, bytes);
}

/**
 * Reads a request.
 *
 * @throws MusterError `DOCUMENT_INVALID`, or `KEY_INVALID` when its product key is none.
 */
export function decodeActivationRequest(text: string): HostActivationRequest {
  const fields = read(requestTitle, text, (reader) => ({
    productKey: reader.text(),
    hostId: uuidOf(reader.bytes(uuidBytes)),
    hostPublicKey: reader.bytes(publicKeyBytes),
    hostPlatform: identifier(reader.text(), 'host platform'),
    requestedAtMs: reader.seconds() * 1000,
  }));
  return { ...fields, productKey: parseProductKey(fields.productKey) };
}

/**
 * Writes the vendor's answer: of the host certificate only what the host cannot know by itself.
 *
 * @param hostCertificate the JWT that activates the host.
 */
export function encodeActivationConfirmation(hostCertificate: string): string {
  const certificate = readHostCertificate(hostCertificate);
  const writer = new ByteWriter()
    .byte(version)
    .bytes(Buffer.from(certificate.vendorKeyId, 'base64url').subarray(0, keyHintBytes))
    .text(certificate.vendor)
    .text(certificate.application)
    .text(certificate.productGroup)
    .seconds(certificate.issuedAtMs / 1000)
    .seconds(certificate.expiresAtMs / 1000)
    .bytes(certificate.signature);
  return encodeTextBlock(confirmationTitle, writer.finish());
}

/** What the host knows about itself, with which it completes a confirmation. */
export interface ActivatedHost {
  readonly hostId: string;
  readonly hostPublicKey: Uint8Array;
  readonly vendorKeys: VendorKeys;
  /** The editions that a key of the group serves, by the catalogue in force; undefined when it knows no such group. */
  readonly editionsOf: (application: string, productGroup: string) => readonly string[] | undefined;
}

/**
 * Reads a confirmation, completes it with what the host knows, and verifies it: the certificate that the vendor signed
 * comes out, or nothing.
 *
 * @returns the host certificate, a JWT.
 * @throws MusterError `DOCUMENT_INVALID` when the block is damaged or the catalogue has no such group, `UNTRUSTED_HOST`
 * when it is for another host, by another vendor, or for another catalogue than the one in force.
 */
export async function decodeActivationConfirmation(text: string, host: ActivatedHost): Promise<string> {
  const fields = read(confirmationTitle, text, (reader) => ({
    keyHint: reader.bytes(keyHintBytes),
    vendor: reader.text(),
    application: identifier(reader.text(), 'application'),
    productGroup: identifier(reader.text(), 'product group'),
    issuedAtMs: reader.seconds() * 1000,
    expiresAtMs: reader.seconds() * 1000,
    signature: reader.bytes(signatureBytes),
  }));
  const editions = host.editionsOf(fields.application, fields.productGroup);
  if (editions === undefined) {
    throw refuse(
      confirmationTitle,
      `the catalogue in force has no product group ${fields.productGroup} in the application ${fields.application}`,
      "Install the vendor's present catalogue first.",
    );
  }
  const signer = [...host.vendorKeys.keys()].find((id) =>
    Buffer.from(id, 'base64url').subarray(0, keyHintBytes).equals(fields.keyHint),
  );
  if (signer === undefined) {
    throw new MusterError({
      code: 'UNTRUSTED_HOST',
      message: 'The confirmation is signed by a vendor that is not trusted here.',
      remedy: "Trust the vendor's public key first, or ask the vendor of the key for the confirmation.",
    });
  }
  const { hostId, hostPublicKey } = host;
  const claims = { ...fields, hostId, hostPublicKey, editions, vendorKeyId: signer };
  try {
    const jwt = assembleHostCertificate(claims, fields.signature);
    await verifyHostCertificate(jwt, host.vendorKeys);
    return jwt;
  } catch (cause) {
    throw new MusterError({
      code: 'UNTRUSTED_HOST',
      message: 'The confirmation does not fit this host, or its vendor signed it for another catalogue.',
      remedy: "Use the confirmation of this host's own request, and the vendor's present catalogue.",
      cause,
    });
  }
}

function read<Fields>(title: string, text: string, readFields: (reader: ByteReader) => Fields): Fields {
  const reader = new ByteReader(decodeTextBlock(title, text));
  try {
    const written = reader.byte();
    if (written !== version)
      throw new RangeError(`it is of version ${written}, and this release reads version ${version}`);
    const fields = readFields(reader);
    reader.end();
    return fields;
  } catch (error) {
    if (error instanceof RangeError) throw refuse(title, error.message);
    throw error;
  }
}

function identifier(text: string, name: string): string {
  if (!isIdentifier(text)) throw new RangeError(`its ${name} is no identifier`);
  return text;
}

function uuidOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function refuse(title: string, problem: string, remedy?: string): MusterError {
  return new MusterError({
    code: 'DOCUMENT_INVALID',
    message: `The text block ${title} cannot be used: ${problem}.`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
