import { Client, Server, type ServiceDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { CountingService } from '@muster/contracts/counting';
import { descriptorSet } from '@muster/contracts/descriptors';
import { methodRules, type Role, roles } from '@muster/contracts/methods';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../testing/certificate-authority.ts';
import { issueFor } from '../testing/certificates.ts';
import { freeAddress } from '../testing/loopback.ts';
import { identityOf, showing, wrongCertificates } from '../testing/peers.ts';
import { addToServer, connectTo } from './grpc-interface.ts';
import { serveGrpc } from './grpc-server.ts';

/** Who may call what, once more and by hand: a change of the table in the contracts has to be meant. */
const gateway = 'protocol-gateway';
const administrator = 'administrator';
const mayCall: Readonly<Record<string, readonly Role[]>> = {
  '/muster.counting.v1.Counting/Count': [gateway],
  '/muster.counting.v1.Counting/GetCounts': [gateway, administrator],
  '/muster.counting.v1.Counting/ListMachines': [administrator],
  '/muster.counting.v1.CountingAdministration/GetOutbox': [administrator],
  '/muster.counting.v1.CountingAdministration/ReplayEvents': [administrator],
  '/muster.policy.v1.LicensingPolicy/WatchSnapshots': [gateway],
  '/muster.policy.v1.LicensingPolicy/IssueGatewayCredential': [gateway],
  '/muster.policy.v1.PolicyAdministration/GetPolicy': [administrator],
  '/muster.policy.v1.PolicyAdministration/TrustVendor': [administrator],
  '/muster.policy.v1.PolicyAdministration/InstallCatalogue': [administrator],
  '/muster.policy.v1.PolicyAdministration/SetHostPlatform': [administrator],
  '/muster.policy.v1.PolicyAdministration/InstallHostCertificate': [administrator],
  '/muster.policy.v1.PolicyAdministration/OverrideIntervals': [administrator],
  '/muster.policy.v1.PolicyAdministration/InstallKey': [administrator],
  '/muster.policy.v1.PolicyAdministration/ActivateKey': [administrator],
  '/muster.policy.v1.PolicyAdministration/RequestActivation': [administrator],
  '/muster.policy.v1.PolicyAdministration/ConfirmActivation': [administrator],
  '/muster.policy.v1.PolicyAdministration/ListKeys': [administrator],
  '/muster.policy.v1.PolicyAdministration/RemoveKey': [administrator],
  '/muster.site.v1.Site/GetStatus': [administrator],
  '/muster.site.v1.Site/ListMachines': [administrator],
  '/muster.vendor.v1.VendorAuthority/ActivateHost': ['licensing-policy', administrator],
  '/muster.vendor.v1.VendorAuthority/RenewHost': ['licensing-policy', administrator],
  '/muster.vendor.v1.VendorAuthority/ConfirmInstallation': [gateway, administrator],
  '/muster.vendor.v1.VendorAuthority/ConfirmInstallations': [administrator],
  '/muster.vendor.v1.VendorAdministration/CreateVendor': [administrator],
  '/muster.vendor.v1.VendorAdministration/GetVendor': [administrator],
  '/muster.vendor.v1.VendorAdministration/SignCatalogue': [administrator],
  '/muster.vendor.v1.VendorAdministration/GetCatalogue': [administrator],
  '/muster.vendor.v1.VendorAdministration/IssueKey': [administrator],
  '/muster.vendor.v1.VendorAdministration/ChangeKey': [administrator],
  '/muster.vendor.v1.VendorAdministration/RevokeKey': [administrator],
  '/muster.vendor.v1.VendorAdministration/GetKey': [administrator],
  '/muster.vendor.v1.VendorAdministration/ListKeys': [administrator],
  '/muster.vendor.v1.VendorAdministration/ListHosts': [administrator],
  '/muster.vendor.v1.VendorAdministration/ListInstallations': [administrator],
  '/muster.vendor.v1.VendorAdministration/ConfirmActivationRequest': [administrator],
  '/muster.vendor.v1.VendorAdministration/AuditTrail': [administrator],
};
const paths = Object.keys(mayCall);

/** The services of proto/, from its descriptors: none can be forgotten. */
const definitions = Object.values(loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet)))
  .filter((each) => !('format' in each))
  .map((each) => each as ServiceDefinition);
const methods = definitions.flatMap((each) => Object.values(each));

describe('the table of methods', () => {
  test('has a row for each method of proto/, and no other', () => {
    expect(Object.keys(methodRules).sort()).toEqual(methods.map(({ path }) => path).sort());
  });

  test('says who may call each one', () => {
    expect(Object.fromEntries(Object.entries(methodRules).map(([path, rule]) => [path, rule.roles]))).toEqual(mayCall);
  });

  test('gives each call that ends by itself a deadline, and no stream', () => {
    const unary = methods.filter((each) => !each.responseStream);
    expect(
      Object.keys(methodRules)
        .filter((path) => methodRules[path]?.deadlineMs !== undefined)
        .sort(),
    ).toEqual(unary.map(({ path }) => path).sort());
  });

  test('lets no service start, and no client, with a method that it lacks', () => {
    const { '/muster.counting.v1.Counting/GetCounts': _, ...rules } = methodRules;
    const implementation = { count() {}, getCounts() {}, listMachines() {} };
    const message = '/muster.counting.v1.Counting/GetCounts has no rule';
    expect(() => addToServer(new Server(), CountingService, implementation, undefined, rules)).toThrow(message);
    expect(() => connectTo(CountingService, '127.0.0.1:1', showing(undefined), rules)).toThrow(message);
  });
});

const authority = new CertificateAuthority('site');
const stranger = new CertificateAuthority('stranger');

describe('of a server with every service', () => {
  let address: string;
  const called = new Set<string>();
  beforeAll(async () => {
    address = await freeAddress();
  });

  /** Serves everything by implementations that note that they were called, and nothing else. */
  async function serveEverything(): Promise<void> {
    const drain = await serveGrpc(address, definitions.map(recording), { tls: identityOf('counting', authority) });
    onTestFinished(() => drain());
  }

  function recording(definition: ServiceDefinition) {
    const plain = Object.entries(definition).map(([name, method]) => [
      name,
      { ...method, requestDeserialize: (bytes: Buffer) => bytes, responseSerialize: () => Buffer.alloc(0) },
    ]);
    const implementation = Object.entries(definition).map(([name, { path, responseStream }]) => [
      name,
      responseStream
        ? () => {
            called.add(path);
            return noAnswers();
          }
        : async () => {
            called.add(path);
            return {};
          },
    ]);
    return { definition: Object.fromEntries(plain), implementation: Object.fromEntries(implementation) };
  }

  async function* noAnswers(): AsyncIterable<never> {}

  /** The status of a call of each method, made with a certificate. */
  async function statuses(issued: IssuedCertificate | undefined): Promise<Record<string, status>> {
    called.clear();
    const client = new Client(address, showing(issued, authority), { 'grpc.use_local_subchannel_pool': 1 });
    try {
      const found = await Promise.all(paths.map(async (path) => [path, await statusOf(client, path)] as const));
      return Object.fromEntries(found);
    } finally {
      client.close();
    }
  }

  /** Streams and calls look the same on the wire: one question, then the end. */
  function statusOf(client: Client, path: string): Promise<status> {
    const same = (bytes: Buffer) => bytes;
    const deadline = Date.now() + 20_000;
    const stream = client.makeServerStreamRequest(path, same, same, Buffer.alloc(0), { deadline });
    return new Promise((resolve) => {
      stream.on('data', () => undefined);
      stream.on('error', () => undefined);
      stream.on('status', ({ code, metadata }: ServiceError) => {
        const refused = metadata.get('muster-code')[0];
        resolve(code === status.PERMISSION_DENIED && refused !== 'NOT_AUTHORISED' ? status.UNKNOWN : code);
      });
    });
  }

  const everyPath = (code: status) => Object.fromEntries(paths.map((path) => [path, code]));

  test.each(roles)('%s calls exactly what the table lets it call', async (role) => {
    await serveEverything();
    const allowed = paths.filter((path) => mayCall[path]?.includes(role));
    expect(await statuses(issueFor(authority, role))).toEqual({
      ...everyPath(status.PERMISSION_DENIED),
      ...Object.fromEntries(allowed.map((path) => [path, status.OK])),
    });
    expect([...called].sort()).toEqual(allowed.sort());
  });

  test('nobody calls anything without a certificate', async () => {
    await serveEverything();
    expect(await statuses(undefined)).toEqual(everyPath(status.UNAVAILABLE));
    expect(called.size).toBe(0);
  });

  const wrong = wrongCertificates(authority, stranger, 'administrator');
  describe.each(roles)('%s calls nothing with a certificate', (role) => {
    const { transport, names } = wrongCertificates(authority, stranger, role);

    test.each(Object.keys(wrong.transport))('that is %s: TLS refuses it', async (kind) => {
      await serveEverything();
      expect(await statuses(transport[kind])).toEqual(everyPath(status.UNAVAILABLE));
      expect(called.size).toBe(0);
    });

    test.each(Object.keys(wrong.names))('%s: it names no role', async (kind) => {
      await serveEverything();
      expect(await statuses(names[kind])).toEqual(everyPath(status.PERMISSION_DENIED));
      expect(called.size).toBe(0);
    });
  });
});
