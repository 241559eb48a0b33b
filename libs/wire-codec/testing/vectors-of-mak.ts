import { MakReply as WireReply, MakRequest as WireRequest } from '@muster/contracts/activation';
import { installationId, issueMakConfirmation, makeProductKey } from '@muster/trust';
import {
  encodeFrame,
  encodeMakReply,
  encodeMakRequest,
  FrameType,
  type MakReply,
  type MakRequest,
} from '../src/index.ts';
import { noonMs, otherVendor, vendor } from './fixtures.ts';
import { hex, withHex } from './hex.ts';

const fingerprint = new Uint8Array(32).fill(0xf1);
const application = 'windows';
const edition = 'vista-business';

export const makRequest: MakRequest = {
  nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
  productKey: makeProductKey('MAK', new Uint8Array(14).fill(0x5a)).replaceAll('-', ''),
  application,
  edition,
  installationId: installationId(fingerprint, application, edition),
  clientVersion: 'muster-client/0.1.0',
};

const confirmed = {
  vendor: 'Example Vendor',
  vendorKey: vendor,
  installationId: makRequest.installationId,
  application,
  productGroup: 'vista-vl',
  edition,
  confirmedAtMs: noonMs,
};

/** The confirmation of `makRequest`. */
export const makConfirmation = await issueMakConfirmation(confirmed);

/** Installation ids, MAK requests, and replies to `makRequest`, with what a client makes of them. */
export async function makVectors() {
  const { nonce } = makRequest;
  const another = async (change: Partial<typeof confirmed>) => issueMakConfirmation({ ...confirmed, ...change });
  const [header, claims, signature] = makConfirmation.split('.');
  const mixed = [header, (await another({ productGroup: 'server-vl' })).split('.')[1], signature].join('.');
  return {
    vendorPublicKeys: [hex(vendor.publicKey)],
    installationIds: [
      installation(application, edition),
      installation(application, 'vista-enterprise'),
      installation('office', 'professional-plus'),
    ],
    requests: {
      valid: [
        valid('everything that a client sends', makRequest),
        valid('nothing that may be left out', { ...makRequest, clientVersion: '' }),
      ],
      broken: brokenRequests(),
    },
    replies: {
      request: withHex(makRequest),
      believed: [
        {
          name: 'a confirmation',
          frame: replyFrame({ nonce, code: 'GRANTED', confirmation: makConfirmation }),
          claims: JSON.parse(Buffer.from(claims ?? '', 'base64url').toString()),
        },
      ],
      refusals: refusals.map((fields) => ({
        frame: replyFrame({ nonce, ...fields }),
        fields: withHex({ nonce, ...fields }),
      })),
      unproved: [
        unproved('Another vendor has signed it.', await another({ vendorKey: otherVendor })),
        unproved('It is for another installation.', await another({ installationId: new Uint8Array(32).fill(1) })),
        unproved('It is for another edition.', await another({ edition: 'vista-enterprise' })),
        unproved('It is for another application.', await another({ application: 'office' })),
        unproved('Its claims were changed.', mixed),
      ],
      broken: brokenReplies(),
    },
  };

  function unproved(reason: string, confirmation: string) {
    return { reason, frame: replyFrame({ nonce, code: 'GRANTED', confirmation }) };
  }
}

const refusals = [
  {
    code: 'MAK_INVALID',
    message: 'The vendor has issued no such MAK.',
    remedy: 'Compare it with what the vendor sent.',
  },
  { code: 'MAK_EXHAUSTED', message: 'The MAK has confirmed 50 installations.', remedy: 'Ask for more activations.' },
  { code: 'MAK_WRONG_GROUP', message: 'The MAK serves another product group.', remedy: 'Use a MAK of this group.' },
  { code: 'KEY_REVOKED', message: 'The vendor has revoked the MAK.', remedy: 'Ask the vendor for another key.' },
  { code: 'KEY_EXPIRED', message: 'The MAK could be used until yesterday.', remedy: 'Ask the vendor for more time.' },
] as const;

function brokenRequests() {
  const changed = (change: Partial<WireRequest>) => WireRequest.encode({ ...makRequest, ...change }).finish();
  const { productKey } = makRequest;
  return [
    broken('The nonce has 31 bytes.', 'nonce', changed({ nonce: new Uint8Array(31) }), false),
    broken('The product key is missing.', 'product_key', changed({ productKey: '' })),
    broken('The product key has hyphens.', 'product_key', changed({ productKey: productKey.replace(/.{5}/g, '$&-') })),
    broken('The product key is in small letters.', 'product_key', changed({ productKey: productKey.toLowerCase() })),
    broken('The product key has 24 characters.', 'product_key', changed({ productKey: productKey.slice(1) })),
    broken('The product key has a U.', 'product_key', changed({ productKey: productKey.replace(/.$/, 'U') })),
    broken('The application has a capital.', 'application', changed({ application: 'Windows' })),
    broken('The edition is missing.', 'edition', changed({ edition: '' })),
    broken('The id has 20 bytes.', 'installation_id', changed({ installationId: new Uint8Array(20) })),
    broken('The client version has a line break.', 'client_version', changed({ clientVersion: 'a\nb' })),
  ];
}

function brokenReplies() {
  const [protectedHeader, payload, signature] = makConfirmation
    .split('.')
    .map((part) => new Uint8Array(Buffer.from(part, 'base64url')));
  if (protectedHeader === undefined || payload === undefined || signature === undefined) throw new Error('no JWS');
  const { nonce } = makRequest;
  const granted: WireReply = {
    nonce,
    code: 1,
    confirmation: { protectedHeader, payload, signature },
    message: '',
    remedy: '',
  };
  const brokenReply = (reason: string, field: string, change: Partial<WireReply>) => ({
    reason,
    field,
    frame: hex(encodeFrame(FrameType.makReply, WireReply.encode({ ...granted, ...change }).finish())),
  });
  return [
    brokenReply('The nonce is missing.', 'nonce', { nonce: new Uint8Array() }),
    brokenReply('The code is missing.', 'code', { code: 0 }),
    brokenReply('The code is one of activation replies.', 'code', { code: 2 }),
    brokenReply('The confirmation is missing.', 'confirmation', { confirmation: undefined }),
    brokenReply('A refusal has a confirmation.', 'confirmation', { code: 10, message: 'No.', remedy: 'None.' }),
    brokenReply('A confirmation has a message.', 'confirmation', { message: 'Yes.' }),
  ];
}

function installation(ofApplication: string, ofEdition: string) {
  return {
    fingerprint: hex(fingerprint),
    application: ofApplication,
    edition: ofEdition,
    installationId: hex(installationId(fingerprint, ofApplication, ofEdition)),
  };
}

function valid(name: string, fields: MakRequest) {
  return { name, frame: requestFrame(encodeMakRequest(fields)), fields: withHex(fields) };
}

function broken(reason: string, field: string, payload: Uint8Array, nonceReadable = true) {
  return { reason, field, frame: requestFrame(payload), ...(nonceReadable ? { nonce: hex(makRequest.nonce) } : {}) };
}

function requestFrame(payload: Uint8Array): string {
  return hex(encodeFrame(FrameType.makRequest, payload));
}

function replyFrame(reply: MakReply): string {
  return hex(encodeFrame(FrameType.makReply, encodeMakReply(reply)));
}
