import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Role } from '@muster/contracts/methods';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as asn from '@peculiar/asn1-x509';

/** A certificate and its private key, both PEM. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateRequest {
  /** Shown to people. */
  readonly commonName?: string;
  /** Names of the owner as URIs: one of `roleUri`, by which it is recognised, unless a test wants otherwise. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** From when it holds; a day ago when left out, for processes whose clock is set back. */
  readonly notBefore?: Date;
  /** Until when it holds; thirty days from now when left out. */
  readonly notAfter?: Date;
}

/** The URI that names a role in a certificate. */
export function roleUri(role: Role, trustDomain = 'muster'): string {
  return `spiffe://${trustDomain}/${role}`;
}

// RFC 5758: ECDSA with SHA-256; RFC 5280, 4.2.1.12: purposes of a key.
const ecdsaWithSha256 = '1.2.840.10045.4.3.2';
const bothSidesOfTls = [asn.id_kp_serverAuth, asn.id_kp_clientAuth];

const dayMs = 24 * 60 * 60 * 1_000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs);

/** A private certificate authority with a key of P-256 that lives in memory (RFC 5280). For tests and local stacks. */
export class CertificateAuthority {
  /** Its own certificate, PEM: what those have to trust who believe its certificates. */
  readonly certificate: string;
  readonly #name: asn.Name;
  readonly #key: KeyObject;
  readonly #keyId: ArrayBuffer;

  constructor(commonName: string) {
    const pair = newKeyPair();
    this.#name = nameOf(commonName);
    this.#key = pair.privateKey;
    this.#keyId = keyIdOf(pair.publicKey);
    this.certificate = this.#sign(commonName, pair.publicKey, inDays(-1), inDays(3_650), [
      extension(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
      extension(asn.id_ce_keyUsage, new asn.KeyUsage(asn.KeyUsageFlags.keyCertSign | asn.KeyUsageFlags.cRLSign), true),
    ]);
  }

  /** Makes a key and certifies it for both sides of TLS. */
  issue(request: CertificateRequest): IssuedCertificate {
    const { commonName = 'test', uris = [], dnsNames = [], ipAddresses = [] } = request;
    const { notBefore = inDays(-1), notAfter = inDays(30) } = request;
    const pair = newKeyPair();
    const names = [
      ...uris.map((uniformResourceIdentifier) => new asn.GeneralName({ uniformResourceIdentifier })),
      ...dnsNames.map((dNSName) => new asn.GeneralName({ dNSName })),
      ...ipAddresses.map((iPAddress) => new asn.GeneralName({ iPAddress })),
    ];
    const certificate = this.#sign(commonName, pair.publicKey, notBefore, notAfter, [
      extension(asn.id_ce_basicConstraints, new asn.BasicConstraints(), true),
      extension(asn.id_ce_keyUsage, new asn.KeyUsage(asn.KeyUsageFlags.digitalSignature), true),
      extension(asn.id_ce_extKeyUsage, new asn.ExtendedKeyUsage(bothSidesOfTls)),
      ...(names.length === 0 ? [] : [extension(asn.id_ce_subjectAltName, new asn.SubjectAlternativeName(names))]),
      extension(
        asn.id_ce_authorityKeyIdentifier,
        new asn.AuthorityKeyIdentifier({ keyIdentifier: new asn.KeyIdentifier(this.#keyId) }),
      ),
    ]);
    return { certificate, key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  #sign(commonName: string, publicKey: KeyObject, notBefore: Date, notAfter: Date, extensions: asn.Extension[]) {
    const signatureAlgorithm = new asn.AlgorithmIdentifier({ algorithm: ecdsaWithSha256 });
    const subjectKeyId = new asn.SubjectKeyIdentifier(keyIdOf(publicKey));
    const tbsCertificate = new asn.TBSCertificate({
      version: asn.Version.v3,
      serialNumber: serialNumber(),
      signature: signatureAlgorithm,
      issuer: this.#name,
      validity: new asn.Validity({ notBefore, notAfter }),
      subject: nameOf(commonName),
      subjectPublicKeyInfo: AsnConvert.parse(spkiOf(publicKey), asn.SubjectPublicKeyInfo),
      extensions: new asn.Extensions([...extensions, extension(asn.id_ce_subjectKeyIdentifier, subjectKeyId)]),
    });
    const signatureValue = toArrayBuffer(sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), this.#key));
    return toPem(AsnConvert.serialize(new asn.Certificate({ tbsCertificate, signatureAlgorithm, signatureValue })));
  }
}

function newKeyPair() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function extension(extnID: string, value: object, critical = false): asn.Extension {
  return new asn.Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function nameOf(commonName: string): asn.Name {
  const value = new asn.AttributeValue({ utf8String: commonName });
  return new asn.Name([new asn.RelativeDistinguishedName([new asn.AttributeTypeAndValue({ type: '2.5.4.3', value })])]);
}

/** A positive number of 127 random bits (RFC 5280, 4.1.2.2: at most 20 octets, never 0). */
function serialNumber(): ArrayBuffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return toArrayBuffer(bytes);
}

/** RFC 5280, 4.2.1.2, method 1. */
function keyIdOf(publicKey: KeyObject): ArrayBuffer {
  const { subjectPublicKey } = AsnConvert.parse(spkiOf(publicKey), asn.SubjectPublicKeyInfo);
  return toArrayBuffer(createHash('sha1').update(Buffer.from(subjectPublicKey)).digest());
}

function spkiOf(publicKey: KeyObject): ArrayBuffer {
  return toArrayBuffer(publicKey.export({ type: 'spki', format: 'der' }));
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function toPem(der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
