import { Client, credentials, type ServiceDefinition, status } from '@grpc/grpc-js';
import {
  ActivateHostRequest,
  ConfirmInstallationsRequest,
  type KeyKind,
  VendorAdministrationService,
  VendorAuthorityService,
} from '@muster/contracts/vendor';
import type { Database } from '@muster/database';
import { openPgliteInMemory } from '@muster/database';
import { describeCode, type ErrorCode, MusterError } from '@muster/product-groups';
import { serveGrpc } from '@muster/service-kit';
import { encodeActivationRequest, parseProductKey } from '@muster/trust';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { activationOf, all, issueKms, issueMak, newHost, newInstallation, openVendor } from '../testing/authority.ts';
import { freeAddresses } from '../testing/authority-process.ts';

/** What these methods may refuse with (their docstrings); anything else is a mistake of ours. */
const documented = new Set<string>([
  'INPUT_INVALID',
  'SETTING_INVALID',
  'DOCUMENT_INVALID',
  'CATALOGUE_INVALID',
  'UNTRUSTED_HOST',
  'HOST_NOT_ACTIVATED',
  'CLOCK_SKEW',
  'RATE_LIMITED',
  'KEY_INVALID',
  'KEY_UNKNOWN',
  'KEY_HOST_LIMIT',
  'KEY_ACTIVATION_LIMIT',
  'KEY_WRONG_HOST_PLATFORM',
  'MAK_INVALID',
  'MAK_EXHAUSTED',
  'MAK_WRONG_GROUP',
]);

let database: Database;
let authority: Awaited<ReturnType<typeof openVendor>>;
let productKeys: { readonly kms: string; readonly mak: string };
beforeAll(async () => {
  database = await openPgliteInMemory();
  const rates = { burst: 1_000_000, refillMs: 1 };
  authority = await openVendor(database, { guessRates: { perAddress: rates, total: rates } });
  const [kms, mak] = [await issueKms(authority), await issueMak(authority, { makActivations: 1_000 })];
  productKeys = { kms: kms.productKey, mak: mak.productKey };
});
afterAll(() => database.close());

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  ...[16, 32, 64].map((length) => fc.uint8Array({ minLength: length, maxLength: length })),
);
const names = fc.constantFrom(
  'windows',
  'server-group-b',
  'vista-vl',
  'vista-enterprise',
  'server-2008-standard',
  '__proto__',
  'constructor',
  '\0',
  '',
);
const text = fc.oneof(names, fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 3 }));
const number = fc.oneof(fc.nat({ max: 4_294_967_295 }), fc.constantFrom(0, 1, 4_294_967_295));
const time = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER));
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const productKey = fc.oneof(
  text,
  fc.constantFrom('kms', 'mak').map((kind) => ({ kind })),
);
const installation = fc.record({ edition: text, installationId: bytes });
const kind = fc.oneof(fc.constantFrom(0, 1, 2), fc.integer()) as fc.Arbitrary<KeyKind>;

/** A right key where the generator has asked for one. */
const keyOf = (key: string | { readonly kind: string }) =>
  typeof key === 'string' ? key : (productKeys as Readonly<Record<string, string>>)[key.kind];

type Call = (request: never) => Promise<unknown>;

/** A method by its name, with its requests. */
function methods(): readonly (readonly [string, fc.Arbitrary<object>, Call])[] {
  const { service, administration } = authority;
  return [
    [
      'activateHost',
      fc.record({ productKey, hostId: bytes, hostPublicKey: bytes, hostPlatform: text, requestId: bytes }),
      (request) => service.activateHost(request),
    ],
    [
      'renewHost',
      fc.record({ hostCertificate: text, requestId: bytes, requestedAtUnixMs: time, signature: bytes }),
      (request) => service.renewHost(request),
    ],
    [
      'confirmInstallation',
      fc.record({ productKey, application: text, installation: optional(installation), remoteAddress: text }),
      (request) => service.confirmInstallation(request),
    ],
    [
      'confirmInstallations',
      fc.record({ productKey, application: text, installations: fc.array(installation, { maxLength: 6 }) }),
      (request) => service.confirmInstallations(request),
    ],
    ['createVendor', fc.record({ name: text }), (request) => administration.createVendor(request)],
    ['signCatalogue', fc.record({ text }), (request) => administration.signCatalogue(request)],
    [
      'issueKey',
      fc.record({
        kind,
        application: text,
        productGroup: text,
        customer: text,
        validityDays: optional(number),
        hostLimit: optional(number),
        activationsPerHost: optional(number),
        certificateDays: optional(number),
        makActivations: optional(number),
      }),
      (request) => administration.issueKey(request),
    ],
    [
      'changeKey',
      fc.record({ keyId: bytes, expiresAtUnixMs: optional(time), hostLimit: optional(number) }),
      (request) => administration.changeKey(request),
    ],
    ['revokeKey', fc.record({ keyId: bytes, reason: text }), (request) => administration.revokeKey(request)],
    ['getKey', fc.record({ keyId: bytes }), (request) => administration.getKey(request)],
    [
      'listKeys',
      fc.record({ customer: text, kind, application: text }),
      (request) => all(administration.listKeys(request)),
    ],
    ['listHosts', fc.record({ keyId: bytes }), (request) => all(administration.listHosts(request))],
    ['listInstallations', fc.record({ keyId: bytes }), (request) => all(administration.listInstallations(request))],
    [
      'confirmActivationRequest',
      fc.record({ request: text }),
      (request) => administration.confirmActivationRequest(request),
    ],
    [
      'auditTrail',
      fc.record({ fromSequence: fc.maxSafeInteger() }),
      (request) => all(administration.auditTrail(request)),
    ],
  ];
}

test('any request is answered or refused with a documented code', async () => {
  const codes = new Map<string, number>();
  for (const [name, requests, call] of methods()) {
    const property = fc.asyncProperty(requests, async (generated) => {
      const request =
        'productKey' in generated ? { ...generated, productKey: keyOf(generated.productKey as string) } : generated;
      const code = await call(request as never).then(
        () => 'answered',
        (error) => (error instanceof MusterError ? error.code : `${name}: ${String(error)}`),
      );
      codes.set(code, (codes.get(code) ?? 0) + 1);
      expect(documented.has(code) || code === 'answered', code).toBe(true);
    });
    await fc.assert(property, { numRuns: 300 });
  }
  // What was refused was refused for many reasons, and some was answered: the generators reach the inside.
  expect(codes.get('answered')).toBeGreaterThan(100);
  expect(codes.size).toBeGreaterThan(9);
  for (const code of documented) expect(describeCode(code as ErrorCode)).toBeDefined();
});

test('a text block with any slip is refused, and nothing is used', async () => {
  const host = newHost();
  const block = encodeActivationRequest({
    productKey: parseProductKey(productKeys.kms),
    hostId: '6a3f0d9e-1111-4111-8111-000000000001',
    hostPublicKey: host.key.publicKey,
    hostPlatform: 'server-2008-standard',
    requestedAtMs: 0,
  });
  const place = fc.nat({ max: block.length - 1 });
  await fc.assert(
    fc.asyncProperty(place, fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }), async (at, other) => {
      const changed = block.slice(0, at) + other + block.slice(at + 1);
      const code = await authority.administration.confirmActivationRequest({ request: changed }).then(
        // Some changes are none: small letters, O for 0, a space among spaces, and all behind the last line.
        ({ activationsUsed }) => `used ${activationsUsed}`,
        (error) => (error instanceof MusterError ? error.code : String(error)),
      );
      expect(['DOCUMENT_INVALID', 'used 1']).toContain(code);
    }),
    { numRuns: 500 },
  );
});

test('any bytes over gRPC leave the server up', async () => {
  const [address = ''] = await freeAddresses(1);
  const definitions = [VendorAuthorityService, VendorAdministrationService] as readonly ServiceDefinition[];
  const drain = await serveGrpc(address, [
    { definition: VendorAuthorityService, implementation: authority.service },
    { definition: VendorAdministrationService, implementation: authority.administration },
  ]);
  const client = new Client(address, credentials.createInsecure());
  try {
    const paths = definitions.flatMap((definition) => Object.values(definition).map(({ path }) => path));
    const right = [
      ActivateHostRequest.encode(activationOf(productKeys.kms, newHost())).finish(),
      ConfirmInstallationsRequest.encode({
        productKey: productKeys.mak,
        application: 'windows',
        installations: [newInstallation()],
      }).finish(),
    ];
    const mutated = fc.tuple(fc.constantFrom(...right), fc.nat(), fc.nat({ max: 255 })).map(([message, at, value]) => {
      const copy = Uint8Array.from(message);
      copy[at % copy.length] = value;
      return copy;
    });
    const property = fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated),
      async (path, message) => {
        const code = await callRaw(client, path, message);
        const expected = [status.OK, status.FAILED_PRECONDITION, status.INVALID_ARGUMENT, status.INTERNAL];
        expect(expected, `${path}: ${status[code]}`).toContain(code);
      },
    );
    await fc.assert(property, { numRuns: 1_000 });
    expect(await callRaw(client, VendorAdministrationService.getVendor.path, new Uint8Array())).toBe(status.OK);
  } finally {
    client.close();
    await drain();
  }
});

function callRaw(client: Client, path: string, message: Uint8Array): Promise<status> {
  const same = (bytes: Buffer) => bytes;
  const stream = client.makeServerStreamRequest(path, same, same, Buffer.from(message), {
    deadline: Date.now() + 20_000,
  });
  return new Promise((resolve) => {
    stream.on('data', () => undefined);
    stream.on('error', () => undefined);
    stream.on('status', ({ code }) => resolve(code));
  });
}
