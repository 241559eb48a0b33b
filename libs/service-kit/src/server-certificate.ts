import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import { MusterError } from '@muster/product-groups';
import type { Logger } from './logger.ts';

type IdentityListener = experimental.IdentityCertificateUpdateListener;
type CaListener = experimental.CaCertificateUpdateListener;

interface Material {
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
  readonly expiresAtMs: number;
}

/** Files are looked at this often. */
const lookEveryMs = 5_000;

/**
 * The certificate of a port that anybody may reach: the server shows it, and callers show none. It is of whichever
 * authority the callers trust, names the host, and is exchanged on disk while the server runs. Files that are wrong are
 * reported and change nothing.
 */
export class ServerCertificate implements experimental.CertificateProvider {
  readonly #certificateFile: string;
  readonly #keyFile: string;
  readonly #logger: Logger;
  readonly #listeners = new Set<IdentityListener>();
  readonly #watch: NodeJS.Timeout;
  #material: Material;
  #problem: string | undefined;

  /**
   * Reads the files and begins to watch them.
   *
   * @param certificateFile the certificate with its chain, PEM.
   * @param everyMs how often the files are looked at.
   * @throws MusterError `TLS_INVALID` when a file cannot be read, or key and certificate do not belong together.
   */
  constructor(certificateFile: string, keyFile: string, logger: Logger, everyMs = lookEveryMs) {
    this.#certificateFile = certificateFile;
    this.#keyFile = keyFile;
    this.#logger = logger;
    this.#material = readMaterial(certificateFile, keyFile);
    this.#watch = setInterval(() => this.#look(), everyMs).unref();
  }

  /** When the certificate ends, milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#material.expiresAtMs;
  }

  /** What is wrong with the files at this moment; undefined while all is in order. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Credentials for a server that asks callers for no certificate. */
  serverCredentials(): ServerCredentials {
    // The library names the parameters the other way round than it uses them: the identity comes first.
    return experimental.createCertificateProviderServerCredentials(this, null, false);
  }

  /** Watches no more. */
  close(): void {
    clearInterval(this.#watch);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.add(listener);
    process.nextTick(() => listener(this.#material));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.delete(listener);
  }

  /** Nobody is asked for a certificate, so there are no authorities. */
  addCaCertificateListener(listener: CaListener): void {
    process.nextTick(() => listener(null));
  }

  removeCaCertificateListener(): void {}

  #look(): void {
    let material: Material;
    try {
      material = readMaterial(this.#certificateFile, this.#keyFile);
    } catch (error) {
      const problem = (error as Error).message;
      // Said once: a file that stays wrong must not fill the log.
      if (problem !== this.#problem)
        this.#logger.error({ err: error }, 'the TLS files are wrong; the last ones stay in use');
      this.#problem = problem;
      return;
    }
    this.#problem = undefined;
    const { certificate, privateKey } = this.#material;
    if (material.certificate.equals(certificate) && material.privateKey.equals(privateKey)) return;
    this.#material = material;
    this.#logger.info({ expiresAt: new Date(this.expiresAtMs).toISOString() }, 'a new TLS certificate is in use');
    for (const listener of this.#listeners) listener(material);
  }
}

function readMaterial(certificateFile: string, keyFile: string): Material {
  try {
    const [certificate, privateKey] = [readFileSync(certificateFile), readFileSync(keyFile)];
    const own = new X509Certificate(certificate);
    if (!own.checkPrivateKey(createPrivateKey(privateKey))) throw new Error('the key is not that of the certificate');
    createSecureContext({ cert: certificate, key: privateKey });
    return { certificate, privateKey, expiresAtMs: own.validToDate.getTime() };
  } catch (error) {
    throw new MusterError({
      code: 'TLS_INVALID',
      message: `${certificateFile} and ${keyFile} cannot be used: ${(error as Error).message}.`,
      remedy: 'Give a certificate with its chain and the private key that belongs to it, both PEM.',
      cause: error,
    });
  }
}
