import { keyId, publicKeyToJwk } from '@muster/trust';
import { gateway, host, keyOf, otherGateway, otherHost, otherVendor, vendor } from './fixtures.ts';
import { hex } from './hex.ts';

const keys = [
  ['vendor', 0x01, vendor, 'The vendor whose public key clients are built with.'],
  ['host', 0x02, host, 'The host that the vendor certified.'],
  ['gateway', 0x03, gateway, 'The gateway that the host certified.'],
  ['other-vendor', 0x11, otherVendor, 'A vendor that nobody trusts.'],
  ['other-host', 0x12, otherHost, 'Another host.'],
  ['other-gateway', 0x13, otherGateway, 'A gateway with another key.'],
] as const;

export function keyVectors() {
  return keys.map(([name, byte, { publicKey }, use]) => ({
    name,
    use,
    seed: hex(new Uint8Array(32).fill(byte)),
    publicKey: hex(keyOf(byte).publicKey),
    jwk: publicKeyToJwk(publicKey),
    keyId: keyId(publicKey),
  }));
}
