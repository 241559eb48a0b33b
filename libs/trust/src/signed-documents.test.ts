import { createHmac } from 'node:crypto';
import { MusterError } from '@muster/product-groups';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  base64url,
  catalogue,
  certificate,
  certificateOptions,
  craft,
  credential,
  credentialOptions,
  dayMs,
  expectRefusal,
  gateway,
  host,
  noonMs,
  partsOf,
  randomFrom,
  stranger,
  trusted,
  vendor,
} from '../test/fixtures.ts';
import {
  issueGatewayCredential,
  issueHostCertificate,
  isWithin,
  keyId,
  signBatch,
  signCatalogue,
  vendorKeys,
  verifyBatchProof,
  verifyCatalogue,
  verifyGatewayCredential,
  verifyHostCertificate,
} from './index.ts';

const kinds = [
  {
    name: 'host certificate',
    document: certificate,
    signer: vendor,
    code: 'UNTRUSTED_HOST',
    check: (jws: string): Promise<unknown> => verifyHostCertificate(jws, trusted),
  },
  {
    name: 'gateway credential',
    document: credential,
    signer: host,
    code: 'UNTRUSTED_HOST',
    check: (jws: string): Promise<unknown> => verifyGatewayCredential(jws, host.publicKey),
  },
  {
    name: 'signed catalogue',
    document: catalogue,
    signer: vendor,
    code: 'DOCUMENT_INVALID',
    check: (jws: string): Promise<unknown> => verifyCatalogue(jws, trusted),
  },
] as const;

const accepted = (attempt: Promise<unknown>) =>
  attempt.then(
    () => true,
    (error: unknown) => {
      if (error instanceof MusterError) return false;
      throw error;
    },
  );

describe('what was issued', () => {
  test('a host certificate says what the vendor certified', async () => {
    const { vendorKey, ...certified } = certificateOptions;
    const { hostPublicKey, ...read } = await verifyHostCertificate(certificate, trusted);
    expect({ ...read, hostPublicKey: [...hostPublicKey] }).toEqual({
      ...certified,
      hostPublicKey: [...certified.hostPublicKey],
      vendorKeyId: keyId(vendorKey.publicKey),
    });
  });

  test('a gateway credential says what the host certified', async () => {
    const read = await verifyGatewayCredential(credential, host.publicKey);
    expect(read).toMatchObject({ gatewayId: 'gateway-7f9c', issuedAtMs: noonMs, expiresAtMs: noonMs + dayMs });
    expect([...read.gatewayPublicKey]).toEqual([...gateway.publicKey]);
  });

  test('any catalogue text comes back byte for byte, a byte order mark included', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const jws = await signCatalogue({ text: `\ufeff${text}`, vendor });
        expect(await verifyCatalogue(jws, trusted)).toEqual({
          text: `\ufeff${text}`,
          vendorKeyId: keyId(vendor.publicKey),
        });
      }),
      { numRuns: 50 },
    );
  });

  test('during a change of keys both vendor keys are trusted', async () => {
    const both = vendorKeys(stranger.publicKey, vendor.publicKey);
    expect((await verifyHostCertificate(certificate, both)).vendorKeyId).toBe(keyId(vendor.publicKey));
  });

  test('times are cut to whole seconds, and a day stays a day', async () => {
    const jwt = await issueGatewayCredential({
      ...credentialOptions,
      issuedAtMs: noonMs + 999,
      expiresAtMs: noonMs + dayMs + 999,
    });
    expect(await verifyGatewayCredential(jwt, host.publicKey)).toMatchObject({
      issuedAtMs: noonMs,
      expiresAtMs: noonMs + dayMs,
    });
  });

  test('a window begins with iat and is over at exp', () => {
    const window = { issuedAtMs: noonMs, expiresAtMs: noonMs + dayMs };
    const edges = [-1000, -1, 0, 1, 1000, dayMs - 1000, dayMs - 1, dayMs, dayMs + 1, dayMs + 1000];
    expect(edges.map((offset) => isWithin(window, noonMs + offset))).toEqual([
      ...[false, false, true, true, true, true, true],
      ...[false, false, false],
    ]);
    expect(isWithin(window, Number.NaN)).toBe(false);
  });
});

describe('what cannot be issued', () => {
  test.each([
    ['a nameless vendor', { vendor: '' }],
    ['a vendor name of 65 characters', { vendor: 'v'.repeat(65) }],
    ['a vendor name that moves the cursor', { vendor: 'Vendor\u001b[2J' }],
    ['a host id that is no UUID', { hostId: 'host-1' }],
    ['a host id in upper case', { hostId: certificateOptions.hostId.toUpperCase() }],
    ['no edition', { editions: [] }],
    ['an edition twice', { editions: ['a', 'a'] }],
    ['an edition that is no identifier', { editions: ['Vista Business'] }],
    ['an end before the beginning', { expiresAtMs: noonMs }],
    ['a time before 1970', { issuedAtMs: -1 }],
    ['a time that is no number', { expiresAtMs: Number.NaN }],
    ['a time after the year 9999', { expiresAtMs: 253_402_300_800_000 }],
    ['a key of 31 bytes', { hostPublicKey: new Uint8Array(31) }],
    [
      'more editions than a reply can carry',
      { editions: Array.from({ length: 200 }, (_, n) => `edition-of-a-long-name-${n}`) },
    ],
  ])('a host certificate with %s', async (_, change) => {
    await expectRefusal(issueHostCertificate({ ...certificateOptions, ...change }), 'DOCUMENT_INVALID');
  });

  test('a gateway credential for longer than 24 hours', async () => {
    const attempt = issueGatewayCredential({ ...credentialOptions, expiresAtMs: noonMs + dayMs + 1000 });
    await expectRefusal(attempt, 'DOCUMENT_INVALID', /24 hours/);
  });

  test('a catalogue beyond 2 MiB, or with half a surrogate pair', async () => {
    await expectRefusal(signCatalogue({ text: 'x'.repeat(1_600_000), vendor }), 'DOCUMENT_INVALID', /longer/);
    await expectRefusal(signCatalogue({ text: '\ud800', vendor }), 'DOCUMENT_INVALID', /surrogate/);
    const large = 'x'.repeat(1_500_000);
    expect((await verifyCatalogue(await signCatalogue({ text: large, vendor }), trusted)).text).toBe(large);
  });
});

describe.each(kinds)('a $name is refused', { timeout: 300_000 }, ({ document, signer, code, check }) => {
  const [header, payload, signature] = partsOf(document);
  const members = JSON.parse(header) as Record<string, unknown>;

  test('as each other kind', async () => {
    for (const other of kinds) {
      if (other.document === document) continue;
      await expectRefusal(check(other.document), code);
      // Even when the right key signs the other kind's header or the other kind's payload.
      const [otherHeader, otherPayload] = partsOf(other.document);
      await expectRefusal(check(craft(otherHeader, payload, signer)), code);
      if (code === 'UNTRUSTED_HOST') await expectRefusal(check(craft(header, otherPayload, signer)), code);
    }
  });

  test('when its signature belongs to a batch, and a batch when it has the signature of a document', async () => {
    const input = Buffer.from(document.slice(0, document.lastIndexOf('.')));
    const [proof] = signBatch([input], signer);
    await expectRefusal(check(`${input}.${base64url(proof?.signature ?? '')}`), code, /signature/);
    expect(verifyBatchProof(input, { signature, leafIndex: 0, path: [] }, signer.publicKey)).toBe(false);
  });

  test('after any bit was flipped', async () => {
    expect(await accepted(check(document))).toBe(true);
    for (let bit = 0; bit < document.length * 8; bit += 1) {
      const index = bit >> 3;
      const flipped = String.fromCharCode(document.charCodeAt(index) ^ (1 << (bit & 7)));
      const changed = document.slice(0, index) + flipped + document.slice(index + 1);
      if (await accepted(check(changed))) expect.fail(`bit ${bit} of ${document} was flipped and nobody noticed`);
    }
  });

  const games: readonly (readonly [string, string])[] = [
    ['alg none without signature', `${base64url(JSON.stringify({ ...members, alg: 'none' }))}.${base64url(payload)}.`],
    ['alg none with signature', craft(JSON.stringify({ ...members, alg: 'none' }), payload, signer)],
    ['HS256 with the public key', hmacSigned({ ...members, alg: 'HS256' }, payload, signer.publicKey)],
    ['EdDSA with an HMAC', hmacSigned(members, payload, signer.publicKey)],
    ...['Ed25519', 'Ed448', 'ES256', 'RS256', 'eddsa', 'EDDSA', ''].map(
      (alg) => [`alg ${alg}`, craft(JSON.stringify({ ...members, alg }), payload, signer)] as const,
    ),
    ['alg as a list', craft(JSON.stringify({ ...members, alg: ['EdDSA'] }), payload, signer)],
    ['no alg', craft(JSON.stringify({ ...members, alg: undefined }), payload, signer)],
    ['no typ', craft(JSON.stringify({ ...members, typ: undefined }), payload, signer)],
    ['typ JWT', craft(JSON.stringify({ ...members, typ: 'JWT' }), payload, signer)],
    ['typ in capitals', craft(JSON.stringify({ ...members, typ: String(members.typ).toUpperCase() }), payload, signer)],
    ['typ with a prefix', craft(JSON.stringify({ ...members, typ: `application/${members.typ}` }), payload, signer)],
    ['kid of a path', craft(JSON.stringify({ ...members, kid: '../../etc/passwd' }), payload, signer)],
    ['kid of a stranger', craft(JSON.stringify({ ...members, kid: keyId(stranger.publicKey) }), payload, signer)],
    ['kid that is no text', craft(JSON.stringify({ ...members, kid: 1 }), payload, signer)],
    ['kid of Object.prototype', craft(JSON.stringify({ ...members, kid: '__proto__' }), payload, signer)],
    ...extraMembers().map(
      ([name, value]) =>
        [`extra member ${name}`, craft(JSON.stringify({ ...members, [name]: value }), payload, signer)] as const,
    ),
    ['a header member twice', craft(header.replace('{', '{"alg":"EdDSA",'), payload, signer)],
    ['a header member twice, the second one wrong', craft(header.replace('}', ',"alg":"none"}'), payload, signer)],
    ['a header with whitespace', craft(header.replace(',', ', '), payload, signer)],
    ['a header with an escape', craft(header.replace('EdDSA', '\\u0045dDSA'), payload, signer)],
    ['a header with a byte order mark', craft(`\ufeff${header}`, payload, signer)],
    ['a header that is null', craft('null', payload, signer)],
    ['a header that is a list', craft('[]', payload, signer)],
    ['a header that is a text', craft('"EdDSA"', payload, signer)],
    ['an empty header', craft('', payload, signer)],
    [
      'a header that is not UTF-8',
      `${base64url(Uint8Array.of(0xff, 0xfe))}.${base64url(payload)}.${base64url(signature)}`,
    ],
    ['a header nested 10,000 deep', craft('['.repeat(10_000) + ']'.repeat(10_000), payload, signer)],
    ['padding', `${document}=`],
    [
      'padding of each part',
      document
        .split('.')
        .map((part) => `${part}==`)
        .join('.'),
    ],
    ['whitespace before', ` ${document}`],
    ['a line break behind', `${document}\n`],
    ['whitespace within', document.replace('.', '. ')],
    [
      'plain base64',
      document
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('base64'))
        .join('.'),
    ],
    ['two parts', document.slice(0, document.lastIndexOf('.'))],
    ['four parts', `${document}.${base64url(signature)}`],
    ['an empty signature', document.slice(0, document.lastIndexOf('.') + 1)],
    ['an empty payload', craft(header, payload, signer).replace(/\.[^.]*\./, '..')],
    ['a signature of 63 bytes', `${document.slice(0, document.lastIndexOf('.'))}.${base64url(signature.subarray(1))}`],
    ['a signature of 65 bytes', `${document}AA`],
    ['a signature by a stranger', craft(header, payload, stranger)],
    [
      'a signature over another payload',
      craft(header, `${payload} `, signer).replace(/\.[^.]*\./, `.${base64url(payload)}.`),
    ],
    ['a signature with S beyond the order of the curve', withLargeS(document)],
    [
      'the JSON serialisation',
      JSON.stringify({ protected: base64url(header), payload: base64url(payload), signature: base64url(signature) }),
    ],
    ['nothing', ''],
    ['dots', '..'],
    ['a mebibyte of letters', 'A'.repeat(1 << 20)],
    ['a mebibyte of dots', '.'.repeat(1 << 20)],
    ['three mebibytes', `${base64url(header)}.${'A'.repeat(3 << 20)}.${base64url(signature)}`],
    ['unused bits of the signature set', withUnusedBits(document)],
  ];

  test.each(games)('with %s', async (_, jws) => {
    await expectRefusal(check(jws), code);
  });

  test('when it is not even text', async () => {
    for (const value of [undefined, null, 1, {}, [], Symbol('jws'), new Uint8Array(3)]) {
      await expectRefusal(check(value as string), code);
    }
  });

  test('as any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 400 }), async (text) => !(await accepted(check(text)))),
    );
  });

  test('after any of 5,000 mutations', async () => {
    const random = randomFrom(20_261_124);
    for (let round = 0; round < 5_000; round += 1) {
      const changed = mutate(document, random);
      if (changed !== document && (await accepted(check(changed)))) expect.fail(`accepted: ${changed}`);
    }
  });
});

describe('claims are refused', () => {
  const [certificateHeader, certificatePayload] = partsOf(certificate);
  const [credentialHeader, credentialPayload] = partsOf(credential);
  const certificateClaims = JSON.parse(certificatePayload) as Record<string, unknown>;
  const credentialClaims = JSON.parse(credentialPayload) as Record<string, unknown>;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(host.publicKey) };
  const noonSeconds = noonMs / 1000;

  const common: readonly (readonly [string, Record<string, unknown>])[] = [
    ['no iat', { iat: undefined }],
    ['no exp', { exp: undefined }],
    ['iat as text', { iat: String(noonSeconds) }],
    ['iat with a fraction', { iat: noonSeconds + 0.5 }],
    ['iat before 1970', { iat: -1 }],
    ['exp equal to iat', { exp: noonSeconds }],
    ['exp before iat', { exp: noonSeconds - 1 }],
    ['exp beyond all numbers', { exp: 1e300 }],
    ['an nbf', { nbf: noonSeconds }],
    ['an aud', { aud: 'muster' }],
    ['no cnf', { cnf: undefined }],
    ['a cnf with a key id', { cnf: { kid: 'x' } }],
    ['a cnf with two members', { cnf: { jwk, kid: 'x' } }],
    ['a private key', { cnf: { jwk: { ...jwk, d: jwk.x } } }],
    ['another curve', { cnf: { jwk: { ...jwk, crv: 'X25519' } } }],
    ['a key of 31 bytes', { cnf: { jwk: { ...jwk, x: base64url(new Uint8Array(31)) } } }],
    ['a key that is no text', { cnf: { jwk: { ...jwk, x: 1 } } }],
    ['no sub', { sub: undefined }],
    ['an empty sub', { sub: '' }],
    ['a sub with a space', { sub: 'a b' }],
  ];

  test.each(common)('of both JWTs with %s', async (_, change) => {
    const jwt = craft(certificateHeader, JSON.stringify({ ...certificateClaims, ...change }), vendor);
    await expectRefusal(verifyHostCertificate(jwt, trusted), 'UNTRUSTED_HOST', /claims/);
    const other = craft(credentialHeader, JSON.stringify({ ...credentialClaims, ...change }), host);
    await expectRefusal(verifyGatewayCredential(other, host.publicKey), 'UNTRUSTED_HOST', /claims/);
  });

  test.each([
    ['no vendor', { iss: undefined }],
    ['a host that is no UUID', { sub: 'host' }],
    ['editions as text', { editions: 'vista-business' }],
    ['no editions', { editions: [] }],
    ['an application with capitals', { application: 'Windows' }],
    ['a group of 65 characters', { group: 'g'.repeat(65) }],
  ])('of a host certificate with %s', async (_, change) => {
    const jwt = craft(certificateHeader, JSON.stringify({ ...certificateClaims, ...change }), vendor);
    await expectRefusal(verifyHostCertificate(jwt, trusted), 'UNTRUSTED_HOST', /claims/);
  });

  test('of a gateway credential for a second more than 24 hours', async () => {
    for (const [seconds, right] of [
      [86_399, true],
      [86_400, true],
      [86_401, false],
    ] as const) {
      const claims = { ...credentialClaims, exp: noonSeconds + seconds };
      const jwt = craft(credentialHeader, JSON.stringify(claims), host);
      expect(await accepted(verifyGatewayCredential(jwt, host.publicKey))).toBe(right);
    }
  });

  test.each([
    ['a member twice', certificatePayload.replace('{', '{"sub":"x",')],
    ['a nested member twice', certificatePayload.replace('"kty"', '"kty":"OKP","kty"')],
    ['whitespace', certificatePayload.replace(':', ': ')],
    ['a number in another spelling', certificatePayload.replace(/"iat":(\d+)/, '"iat":$1.0')],
    ['an escaped letter', certificatePayload.replace('windows', '\\u0077indows')],
    ['text behind', `${certificatePayload} `],
    ['a __proto__', certificatePayload.replace('{', '{"__proto__":{"iss":"x"},')],
    ['nesting 3,000 deep', `${'['.repeat(2_800)}${']'.repeat(2_800)}`],
    ['no JSON', 'iss=Example'],
  ])('in JSON with %s', async (_, payload) => {
    await expectRefusal(
      verifyHostCertificate(craft(certificateHeader, payload, vendor), trusted),
      'UNTRUSTED_HOST',
      /claims/,
    );
  });

  test('that are not UTF-8, and so is a catalogue', async () => {
    const bytes = Uint8Array.of(0x22, 0xc3, 0x28, 0x22);
    await expectRefusal(verifyHostCertificate(craft(certificateHeader, bytes, vendor), trusted), 'UNTRUSTED_HOST');
    const jws = craft(partsOf(catalogue)[0], bytes, vendor);
    await expectRefusal(verifyCatalogue(jws, trusted), 'DOCUMENT_INVALID', /UTF-8/);
  });

  test('by a host key that is no key', async () => {
    for (const length of [0, 31, 32, 33]) {
      await expectRefusal(verifyGatewayCredential(credential, new Uint8Array(length).fill(255)), 'UNTRUSTED_HOST');
    }
  });
});

function extraMembers(): readonly (readonly [string, unknown])[] {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(stranger.publicKey) };
  return [
    ['crit', ['exp']],
    ['crit', []],
    ['b64', false],
    ['jku', 'https://example.com/keys'],
    ['jwk', jwk],
    ['x5c', ['MII']],
    ['x5u', 'https://example.com/certificate'],
    ['cty', 'JWT'],
    ['zip', 'DEF'],
    ['note', 'harmless'],
  ];
}

function hmacSigned(header: object, payload: string, key: Uint8Array): string {
  const input = `${base64url(JSON.stringify(header))}.${base64url(payload)}`;
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}

/** The same signature with the order of the curve added to its second half: equal modulo the order (RFC 8032, 5.1.7). */
function withLargeS(jws: string): string {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const [, , signature] = partsOf(jws);
  const changed = Buffer.from(signature);
  let sum = order + BigInt(`0x${Buffer.from(changed.subarray(32)).reverse().toString('hex')}`);
  for (let index = 32; index < 64; index += 1) {
    changed[index] = Number(sum & 255n);
    sum >>= 8n;
  }
  return `${jws.slice(0, jws.lastIndexOf('.'))}.${base64url(changed)}`;
}

function withUnusedBits(jws: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return jws.slice(0, -1) + alphabet[alphabet.indexOf(jws.slice(-1)) | 1];
}

function mutate(text: string, random: (below: number) => number): string {
  const position = random(text.length);
  const length = 1 + random(8);
  const letter = 'Aa0-_.=+/ {"\u0000\u00ff'.charAt(random(14));
  switch (random(5)) {
    case 0:
      return text.slice(0, position) + letter + text.slice(position + 1);
    case 1:
      return text.slice(0, position) + letter.repeat(length) + text.slice(position);
    case 2:
      return text.slice(0, position) + text.slice(position + length);
    case 3:
      return text.slice(0, position) + text.slice(random(text.length));
    default:
      return text.slice(0, position);
  }
}
