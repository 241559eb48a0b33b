import type { PeerCertificate } from 'node:tls';
import { type ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import { type Caller, roleOf } from './caller.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Logger } from './logger.ts';
import { readTlsMaterial, type TlsFiles, type TlsMaterial } from './tls-material.ts';

type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/** Files are looked at this often. */
const lookEveryMs = 5_000;

/**
 * Who this process is towards the others of its site, and whom it believes: mutual TLS with certificates of a private
 * authority, exchanged on disk while it runs. New connections use the new ones; the servers end each connection after
 * some minutes, so that old ones do not outlive them.
 *
 * Files that are wrong or half exchanged are reported and change nothing: what was in order last stays in use. (The file
 * watcher of the gRPC library would take them over, and refuse everybody.)
 */
export class TlsIdentity implements experimental.CertificateProvider {
  /** The names of the roles that this site's certificates carry. */
  readonly caller: Caller;
  readonly #files: TlsFiles;
  readonly #clock: Clock;
  readonly #role: Role;
  readonly #logger: Logger;
  readonly #caListeners = new Set<CaListener>();
  readonly #identityListeners = new Set<IdentityListener>();
  readonly #channelCredentials = new Map<Role, ChannelCredentials>();
  readonly #watch: NodeJS.Timeout;
  #material: TlsMaterial;
  #problem: string | undefined;

  /**
   * Reads the files and begins to watch them.
   *
   * @param role which the own certificate must name.
   * @param clock by which certificates begin and end.
   * @param everyMs how often the files are looked at.
   * @throws MusterError `TLS_INVALID` when the files are wrong (`readTlsMaterial`).
   */
  constructor(files: TlsFiles, role: Role, logger: Logger, clock: Clock = systemClock, everyMs = lookEveryMs) {
    this.#files = files;
    this.#role = role;
    this.#logger = logger;
    this.#clock = clock;
    this.#material = readTlsMaterial(files, role, clock.nowMs());
    this.caller = (certificate) => this.#roleOf(certificate);
    this.#watch = setInterval(() => this.#look(), everyMs).unref();
  }

  /** When the own certificate ends, milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#material.expiresAtMs;
  }

  /** What is wrong with the files at this moment; undefined while all is in order. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Credentials for a server: who has no certificate of the site's authority is refused before the first call. */
  serverCredentials(): ServerCredentials {
    return experimental.createCertificateProviderServerCredentials(this, this, true);
  }

  /** Credentials for calls to servers of a role: one that shows another role is refused. */
  channelCredentials(serverRole: Role): ChannelCredentials {
    const present = this.#channelCredentials.get(serverRole);
    if (present !== undefined) return present;
    const made = experimental.createCertificateProviderChannelCredentials(this, this, {
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
        const role = this.#roleOf(certificate);
        if (role === serverRole) return undefined;
        return new Error(
          `the server's certificate names ${role ?? 'no role of this site'}, and ${serverRole} was called`,
        );
      },
    });
    this.#channelCredentials.set(serverRole, made);
    return made;
  }

  /** Watches no more. */
  close(): void {
    clearInterval(this.#watch);
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    process.nextTick(() => listener({ caCertificate: this.#material.ca }));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    process.nextTick(() => listener(this.#identity()));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
  }

  /**
   * Who a peer is. TLS looked at the dates when the connection or the session that it resumed began, and both may
   * outlive the certificate.
   */
  #roleOf(certificate: PeerCertificate | undefined): Role | undefined {
    if (certificate === undefined) return undefined;
    const ended = this.#clock.nowMs() > Date.parse(certificate.valid_to);
    return ended ? undefined : roleOf(certificate, this.#files.trustDomain);
  }

  #identity() {
    return { certificate: this.#material.certificate, privateKey: this.#material.key };
  }

  #look(): void {
    let material: TlsMaterial;
    try {
      material = readTlsMaterial(this.#files, this.#role, this.#clock.nowMs());
    } catch (error) {
      const problem = (error as Error).message;
      // Said once: a file that stays wrong must not fill the log.
      if (problem !== this.#problem)
        this.#logger.error({ err: error }, 'the TLS files are wrong; the last ones stay in use');
      this.#problem = problem;
      return;
    }
    this.#problem = undefined;
    const same = (['ca', 'certificate', 'key'] as const).every((part) => material[part].equals(this.#material[part]));
    if (same) return;
    this.#material = material;
    this.#logger.info({ expiresAt: new Date(this.expiresAtMs).toISOString() }, 'new TLS files are in use');
    for (const listener of this.#caListeners) listener({ caCertificate: material.ca });
    for (const listener of this.#identityListeners) listener(this.#identity());
  }
}
