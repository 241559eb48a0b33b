import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type PeerCertificate } from 'node:tls';
import { type ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';
import { type Caller, roleOf } from './caller.ts';
import type { Logger } from './logger.ts';

/** Where a service finds its certificate and whom it trusts. PEM files, read again whenever they change. */
export interface TlsFiles {
  /** The authorities whose certificates are accepted, one or several. */
  readonly caFile: string;
  /** The own certificate with its chain. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The domain of the roles: `spiffe://<trust domain>/<role>`. */
  readonly trustDomain: string;
}

/** The contents of the files. */
interface TlsMaterial {
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
}

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
   * @throws MusterError `TLS_INVALID` when a file cannot be read, key and certificate do not belong together, the
   * certificate names another role or comes from another authority.
   */
  constructor(files: TlsFiles, role: Role, logger: Logger, everyMs = lookEveryMs) {
    this.#files = files;
    this.#role = role;
    this.#logger = logger;
    this.#material = readMaterial(files, role);
    this.caller = (certificate) => roleOf(certificate, files.trustDomain);
    this.#watch = setInterval(() => this.#look(), everyMs).unref();
  }

  /** When the own certificate ends, milliseconds since 1970. */
  get expiresAtMs(): number {
    return new X509Certificate(this.#material.certificate).validToDate.getTime();
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
        const role = roleOf(certificate, this.#files.trustDomain);
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

  #identity() {
    return { certificate: this.#material.certificate, privateKey: this.#material.key };
  }

  #look(): void {
    let material: TlsMaterial;
    try {
      material = readMaterial(this.#files, this.#role);
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

function readMaterial(files: TlsFiles, role: Role): TlsMaterial {
  const material = {
    ca: read(files.caFile),
    certificate: read(files.certificateFile),
    key: read(files.keyFile),
  };
  const { certificateFile, keyFile, caFile } = files;
  try {
    createSecureContext({ ca: material.ca, cert: material.certificate, key: material.key });
  } catch (error) {
    throw invalid(
      `${certificateFile}, ${keyFile} and ${caFile} do not go together: ${(error as Error).message}`,
      error,
    );
  }
  const own = new X509Certificate(material.certificate);
  const named = roleOf({ subjectaltname: own.subjectAltName ?? '' } as PeerCertificate, files.trustDomain);
  if (named !== role) {
    const wanted = `spiffe://${files.trustDomain}/${role}`;
    throw invalid(`${certificateFile} does not name ${wanted} as its only URI, but ${own.subjectAltName ?? 'nothing'}`);
  }
  if (!own.checkPrivateKey(createKey(material.key, keyFile))) {
    throw invalid(`${keyFile} is not the key of ${certificateFile}`);
  }
  return material;
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(`${file} cannot be read: ${(error as Error).message}`, error);
  }
}

function createKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw invalid(`${file} holds no private key: ${(error as Error).message}`, error);
  }
}

function invalid(message: string, cause?: unknown): MusterError {
  return new MusterError({ code: 'TLS_INVALID', message: `${message}.`, ...(cause === undefined ? {} : { cause }) });
}
