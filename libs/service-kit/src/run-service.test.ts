import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { issueFor, tlsFilesIn, writeTlsFiles } from '../testing/certificates.ts';
import { connectToCounting, withoutRepetition } from '../testing/counting.ts';
import { freeAddress, listener, temporaryDirectory } from '../testing/loopback.ts';
import { identityOf } from '../testing/peers.ts';
import { mainOf, runNode, startNode } from '../testing/process.ts';

const small = fileURLToPath(new URL('../testing/small-service.ts', import.meta.url));
const authority = new CertificateAuthority('site');
const soon = { timeout: 30_000, interval: 10 };
const question = { rules: [] };

/** The settings of a small service without TLS on addresses that are free. */
async function addresses(more: Record<string, string> = {}) {
  const [listen, management] = [await freeAddress(), await freeAddress()];
  const environment = {
    SMALL_LISTEN: listen,
    MUSTER_MANAGEMENT_LISTEN: management,
    MUSTER_TLS: 'off',
    ...more,
  };
  return { listen, management, environment };
}

async function startSmall(more: Record<string, string> = {}) {
  const { listen, management, environment } = await addresses(more);
  const service = startNode(small, [], environment);
  const probe = (path: string) =>
    fetch(`http://${management}${path}`).then(
      async (response) => ({ code: response.status, body: await response.text() }),
      () => undefined,
    );
  const counting = connectToCounting(listen, credentials.createInsecure(), withoutRepetition);
  return { ...service, probe, counting, call: () => counting.getCounts(question) };
}

describe('SIGTERM', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'or rather %s lets a call that is under way be answered, and ends with 0',
    async (signal) => {
      const service = await startSmall({ SMALL_CALL_MS: '1500' });
      await service.logs('ready');
      expect(await service.probe('/readyz')).toMatchObject({ code: 200 });
      expect(await service.probe('/statusz')).toEqual({ code: 200, body: '{"service":"counting","size":"small"}\n' });
      const answer = service.call();
      await service.logs('asked');
      service.signal(signal);
      expect(await answer).toEqual({ counts: [] });
      expect(await service.ended).toBe(0);
      expect(service.written.stderr).toMatch(/"stopping".*"draining".*"stopped"/s);
      expect(service.written.stdout).toBe('');
    },
  );

  test('ends a drain that takes too long with 1, after the stated time', async () => {
    const service = await startSmall({ SMALL_CALL_MS: '600000', MUSTER_DRAIN_SECONDS: '1' });
    await service.logs('ready');
    const answer = service.call().catch((error) => error);
    await service.logs('asked');
    const begun = performance.now();
    service.signal('SIGTERM');
    expect(await service.ended).toBe(1);
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(service.written.stderr).toContain('the drain took too long');
    expect(await answer).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('a second time ends the process at once', async () => {
    const service = await startSmall({ SMALL_CALL_MS: '600000', MUSTER_DRAIN_SECONDS: '300' });
    await service.logs('ready');
    const answer = service.call().catch((error) => error);
    await service.logs('asked');
    service.signal('SIGTERM');
    await service.logs('draining');
    service.signal('SIGTERM');
    expect(await service.ended).toBe(1);
    await answer;
  });

  test('during the start ends it with 0, and it was not ready before', async () => {
    const service = await startSmall({ SMALL_START_MS: '600000' });
    await expect.poll(() => service.probe('/livez'), soon).toMatchObject({ code: 200 });
    expect(await service.probe('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('"starting"') });
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
  });

  test('leaves the service serving through the delay, not ready', async () => {
    const service = await startSmall({ MUSTER_DRAIN_DELAY_SECONDS: '2' });
    await service.logs('ready');
    const begun = performance.now();
    service.signal('SIGTERM');
    await service.logs('stopping');
    expect(await service.probe('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('"draining"') });
    expect(await service.probe('/livez')).toMatchObject({ code: 200 });
    expect(await service.call()).toEqual({ counts: [] });
    expect(await service.ended).toBe(0);
    expect(performance.now() - begun).toBeGreaterThan(1_900);
  });
});

describe('a service with TLS', () => {
  const tlsSettings = (directory: string) => {
    const { caFile, certificateFile, keyFile } = tlsFilesIn(directory);
    return {
      MUSTER_TLS: '',
      MUSTER_TLS_CA_FILE: caFile,
      MUSTER_TLS_CERTIFICATE_FILE: certificateFile,
      MUSTER_TLS_KEY_FILE: keyFile,
    };
  };

  test('answers whom it knows, and warns of a certificate that ends soon', async () => {
    const directory = temporaryDirectory();
    const notAfter = new Date(Date.now() + 3 * 24 * 60 * 60 * 1_000 + 60_000);
    writeTlsFiles(directory, authority.issue({ uris: ['spiffe://muster/counting'], notAfter }), [authority]);
    const { listen, management, environment } = await addresses(tlsSettings(directory));
    const service = startNode(small, [], environment);
    await service.logs('ready');
    const gateway = identityOf('protocol-gateway', authority).channelCredentials('counting');
    expect(await connectToCounting(listen, gateway).getCounts(question)).toEqual({ counts: [] });
    const response = await fetch(`http://${management}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      checks: [{ name: 'certificate', required: false, ok: false, detail: 'the certificate ends in 3 days' }],
    });
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
  });

  test('does not start with the certificate of another role, and says so', async () => {
    const directory = temporaryDirectory();
    writeTlsFiles(directory, issueFor(authority, 'administrator'), [authority]);
    const { environment } = await addresses(tlsSettings(directory));
    for (const parameters of [[], ['--check']]) {
      expect(await runNode(small, parameters, environment)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(
          /^counting: TLS_INVALID: .* does not name spiffe:\/\/muster\/counting .*\. .*\.\n$/,
        ),
      });
    }
  });
});

describe('the parameters', () => {
  test('-h is --help', async () => {
    expect(await runNode(small, ['-h'])).toEqual(await runNode(small, ['--help']));
  });

  test('--check reads the settings and ends', async () => {
    const { environment } = await addresses();
    expect(await runNode(small, ['--check'], environment)).toEqual({
      code: 0,
      stdout: 'counting: the settings are in order.\n',
      stderr: '',
    });
  });

  test('--config, or MUSTER_CONFIG_FILE, names a file; the parameter goes first', async () => {
    const [good, bad] = [join(temporaryDirectory(), 'good.yaml'), join(temporaryDirectory(), 'bad.yaml')];
    writeFileSync(good, 'MUSTER_TLS: off\nSMALL_LISTEN: 127.0.0.1:7101\n');
    writeFileSync(bad, 'MUSTER_TLS: off\nSMALL_LISTEN: nowhere\n');
    expect(await runNode(small, ['--config', good, '--check'], { MUSTER_CONFIG_FILE: bad })).toMatchObject({ code: 0 });
    expect(await runNode(small, ['--check'], { MUSTER_CONFIG_FILE: good })).toMatchObject({ code: 0 });
    expect(await runNode(small, [], { MUSTER_CONFIG_FILE: bad })).toMatchObject({
      code: 2,
      stderr: `counting: SETTING_INVALID: The settings are wrong: SMALL_LISTEN (${bad}:2:1): it is HOST:PORT. Run with --help for every setting.\n`,
    });
  });

  test.each([
    [['--config'], '--config names no file.'],
    [['--config', '/nowhere.yaml'], 'The configuration file /nowhere.yaml cannot be read: ENOENT'],
    [['--verbose'], 'There is no parameter --verbose.'],
    [['serve'], 'There is no parameter serve.'],
  ])('%j are refused with 2', async (parameters, message) => {
    expect(await runNode(small, parameters, { MUSTER_TLS: 'off', SMALL_LISTEN: '127.0.0.1:0' })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`counting: SETTING_INVALID: ${message}`),
    });
  });

  test('every problem is told at once, TLS included', async () => {
    const { code, stderr } = await runNode(small, [], { SMALL_START_MS: 'long', MUSTER_TLS_KEY_FILE: '/key' });
    expect(code).toBe(2);
    expect(stderr).toBe(
      'counting: SETTING_INVALID: The settings are wrong: SMALL_LISTEN: it is missing; ' +
        'SMALL_START_MS: it is a whole number from 0 to 1000000; ' +
        'MUSTER_TLS_CA_FILE: it is missing, and MUSTER_TLS is on; ' +
        'MUSTER_TLS_CERTIFICATE_FILE: it is missing, and MUSTER_TLS is on. Run with --help for every setting.\n',
    );
  });

  test.each(['SMALL_LISTEN', 'MUSTER_MANAGEMENT_LISTEN'])('a port in use at %s ends it with 1', async (name) => {
    const { server, address } = await listener();
    onTestFinished(() => void server.close());
    const { environment } = await addresses({ [name]: address });
    expect(await runNode(small, [], environment)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PORT_IN_USE'),
    });
  });
});

describe.each(['counting', 'licensing-policy', 'protocol-gateway'])('the app %s', (app) => {
  test('prints every setting with its type, default and meaning', async () => {
    const { code, stdout, stderr } = await runNode(mainOf(app), ['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const settings = stdout.slice(stdout.indexOf('Settings, '), stdout.indexOf('\nExit codes:')).split('\n').slice(1);
    const names = settings.filter((line) => /^ {2}\S/.test(line)).map((line) => line.trim());
    expect(names).toEqual(expect.arrayContaining(['MUSTER_TLS', 'MUSTER_MANAGEMENT_LISTEN', 'MUSTER_LOG_LEVEL']));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      const after = settings.slice(settings.indexOf(`  ${name}`) + 1);
      const end = after.findIndex((line) => /^ {2}\S/.test(line));
      const [type, ...meaning] = (end < 0 ? after : after.slice(0, end)).map((line) => line.trim());
      expect([name, type]).toEqual([name, expect.stringMatching(/^[^;]+; (required|default: \S+.*)$/)]);
      expect([name, meaning.join(' ').trim()]).toEqual([name, expect.stringMatching(/^\S.*[^.]\.$/)]);
    }
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test('refuses to start without its settings, with 2', async () => {
    const { code, stderr } = await runNode(mainOf(app), []);
    expect(code).toBe(2);
    expect(stderr).toContain('MUSTER_TLS_CA_FILE: it is missing, and MUSTER_TLS is on');
  });
});
