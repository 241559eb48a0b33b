import { sign } from 'node:crypto';
import { issueGatewayCredential, issueHostCertificate, type SigningKey, signCatalogue } from '@muster/trust';
import {
  certificateOptions,
  credentialOptions,
  dayMs,
  gatewayCredential,
  host,
  hostCertificate,
  noonMs,
  otherHost,
  otherVendor,
  vendor,
} from './fixtures.ts';
import { hex } from './hex.ts';

/** Signed documents alone, without a reply around them; `verifiedBy` is the public key that is trusted. */
export async function documentVectors() {
  const catalogueText = 'catalogue: windows-2008\n';
  const catalogue = await signCatalogue({ text: catalogueText, vendor });
  const valid = [
    {
      name: 'host certificate',
      ...document('host-certificate', hostCertificate, vendor),
      claims: claims(hostCertificate),
    },
    {
      name: 'gateway credential',
      ...document('gateway-credential', gatewayCredential, host),
      claims: claims(gatewayCredential),
    },
    { name: 'signed catalogue', ...document('signed-catalogue', catalogue, vendor), text: catalogueText },
  ];
  const [certificateHeader, certificateClaims] = parts(hostCertificate);
  const [credentialHeader, credentialClaims] = parts(gatewayCredential);
  const otherCertificate = await issueHostCertificate({ ...certificateOptions, vendorKey: otherVendor });
  const otherCredential = await issueGatewayCredential({ ...credentialOptions, hostKey: otherHost });
  const longLived = credentialClaims.replace(/"exp":\d+/, `"exp":${(noonMs + 2 * dayMs) / 1000}`);
  const broken = [
    ['The kid is that of a vendor who is not trusted.', 'host-certificate', otherCertificate, vendor],
    ['Another host has signed it.', 'gateway-credential', otherCredential, host],
    ['It lives longer than 24 hours.', 'gateway-credential', craft(credentialHeader, longLived, host), host],
    [
      'The algorithm is none.',
      'gateway-credential',
      craft('{"alg":"none","typ":"muster-gateway+jwt"}', credentialClaims, host),
      host,
    ],
    [
      'The header has a member too many.',
      'gateway-credential',
      craft('{"alg":"EdDSA","typ":"muster-gateway+jwt","crit":[]}', credentialClaims, host),
      host,
    ],
    [
      'The type is that of a host certificate.',
      'gateway-credential',
      craft('{"alg":"EdDSA","typ":"muster-host+jwt"}', credentialClaims, host),
      host,
    ],
    [
      'A member stands twice in the claims.',
      'host-certificate',
      craft(certificateHeader, certificateClaims.replace('{', '{"application":"office",'), vendor),
      vendor,
    ],
    [
      'There is whitespace in the claims.',
      'host-certificate',
      craft(certificateHeader, certificateClaims.replace(',', ', '), vendor),
      vendor,
    ],
    [
      'There is a claim too many.',
      'host-certificate',
      craft(certificateHeader, certificateClaims.replace('}', '},"aud":"x"'), vendor),
      vendor,
    ],
    ['The base64url is padded.', 'host-certificate', `${hostCertificate}==`, vendor],
    ['Unused bits of the last character are set.', 'host-certificate', withUnusedBits(hostCertificate), vendor],
    ['It is a gateway credential.', 'host-certificate', gatewayCredential, vendor],
    ['One character of the text was changed.', 'signed-catalogue', catalogue.replace('.Y', '.Z'), vendor],
  ] as const;
  return {
    valid,
    broken: broken.map(([reason, kind, jws, trustedKey]) => ({ reason, ...document(kind, jws, trustedKey) })),
  };
}

function document(kind: string, jws: string, trustedKey: SigningKey) {
  return { kind, jws, verifiedBy: hex(trustedKey.publicKey) };
}

function parts(jws: string): readonly [string, string] {
  const [header = '', payload = ''] = jws.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return [header, payload];
}

function claims(jws: string): unknown {
  return JSON.parse(parts(jws)[1]);
}

function craft(header: string, payload: string, key: SigningKey): string {
  const input = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

function withUnusedBits(jws: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return jws.slice(0, -1) + alphabet[alphabet.indexOf(jws.slice(-1)) | 1];
}
