import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import {
  type VendorAdministration,
  VendorAdministrationService,
  type VendorAuthority,
  VendorAuthorityService,
} from '@muster/contracts/vendor';
import { connectTo } from '@muster/service-kit';
import { CertificateAuthority, exchangeFile, issueFor, writeTlsFiles } from '@muster/service-kit/testing';
import { readAuditRecord } from '@muster/trust';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { activationOf, all, issueKms, newHost, refusalOf, windowsText } from '../testing/authority.ts';
import { freeAddresses, startAuthority } from '../testing/authority-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-authority-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The private authority of the vendor's own services, and a public one that everybody trusts. */
const site = new CertificateAuthority('site');
const web = new CertificateAuthority('web');

/** Settings of TLS on both ports. */
function tlsEnvironment(): Record<string, string> {
  const own = join(directory, 'tls');
  mkdirSync(own, { recursive: true });
  const { caFile, certificateFile, keyFile } = writeTlsFiles(own, issueFor(site, 'vendor-authority'), [site]);
  const shown = web.issue({ dnsNames: ['localhost'] });
  const [publicCertificate, publicKey] = [join(own, 'public.pem'), join(own, 'public-key.pem')];
  exchangeFile(publicCertificate, shown.certificate);
  exchangeFile(publicKey, shown.key);
  return {
    MUSTER_TLS_CA_FILE: caFile,
    MUSTER_TLS_CERTIFICATE_FILE: certificateFile,
    MUSTER_TLS_KEY_FILE: keyFile,
    MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE: publicCertificate,
    MUSTER_AUTHORITY_TLS_KEY_FILE: publicKey,
  };
}

/** Credentials of a role of the site. */
function showing(role: Role) {
  const { certificate, key } = issueFor(site, role);
  return credentials.createSsl(Buffer.from(site.certificate), Buffer.from(key), Buffer.from(certificate), {
    checkServerIdentity: () => undefined,
  });
}

/** Public names are checked by the callers; here the certificate names localhost, and we call an address. */
const anybody = credentials.createSsl(Buffer.from(web.certificate), null, null, {
  checkServerIdentity: () => undefined,
});

test('the public port takes anybody who has a key, and the other one only roles of the site', async () => {
  const addresses = await freeAddresses(3);
  const places = { database: join(directory, 'data'), secretFile: join(directory, 'secret'), addresses };
  const tls = { environment: tlsEnvironment(), open: anybody, inner: showing('administrator') };
  const running = await startAuthority(places, tls);
  onTestFinished(() => running.kill());
  const { administration, authority } = running;
  await administration.createVendor({ name: 'Example Vendor' });
  await administration.signCatalogue({ text: windowsText });
  const { productKey } = await issueKms({ administration } as Parameters<typeof issueKms>[0]);
  expect(await authority.activateHost(activationOf(productKey, newHost()))).toMatchObject({ activationsUsed: 1 });

  const [open = '', inner = ''] = addresses;
  const connected = <Service extends object>(...parameters: Parameters<typeof connectTo>): Service => {
    const { service, close } = connectTo<Service>(...parameters);
    onTestFinished(close);
    return service;
  };
  const outside = connected<VendorAdministration>(VendorAdministrationService, open, anybody);
  await expect(outside.getVendor({})).rejects.toThrow('does not know this call');
  const strangers = connected<VendorAdministration>(VendorAdministrationService, inner, anybody);
  expect(await refusalOf(strangers.getVendor({}))).toBe('UNAVAILABLE');
  const gateway = connected<VendorAdministration>(VendorAdministrationService, inner, showing('protocol-gateway'));
  expect(await refusalOf(gateway.getVendor({}))).toBe('NOT_AUTHORISED');
  const asGateway = connected<VendorAuthority>(VendorAuthorityService, inner, showing('protocol-gateway'));
  const asked = { productKey: '', application: '', installation: undefined, remoteAddress: '' };
  expect(await refusalOf(asGateway.confirmInstallation(asked))).toBe('INPUT_INVALID');

  const actors = (await all(administration.auditTrail({ fromSequence: 1 }))).map(({ record }) => {
    const read = readAuditRecord(record);
    return typeof read === 'string' ? read : `${read.actor} ${read.address} ${read.action}`;
  });
  expect(actors).toEqual([
    'administrator 127.0.0.1 vendor.created',
    'administrator 127.0.0.1 catalogue.signed',
    'administrator 127.0.0.1 key.issued',
    'anonymous 127.0.0.1 host.activated',
  ]);
  expect(await running.stop()).toBe(0);
  expect(running.log()).not.toContain(productKey);
});

test('with TLS, a public port without a certificate is a wrong setting', () => {
  const { MUSTER_AUTHORITY_TLS_KEY_FILE: _, ...environment } = tlsEnvironment();
  const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      ...environment,
      MUSTER_AUTHORITY_DATABASE: join(directory, 'unused'),
      MUSTER_AUTHORITY_SECRET_FILE: join(directory, 'unused-secret'),
    },
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).toContain('SETTING_INVALID: MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE or');
  expect(status).toBe(2);
});
