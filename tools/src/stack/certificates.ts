import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '@muster/contracts/methods';
import type { TlsFiles } from '@muster/service-kit';
import { CertificateAuthority, exchangeFile, issueFor, tlsFilesIn, writeTlsFiles } from '@muster/service-kit/testing';

/**
 * The private authority of a stack and what it issued: each replica has a directory with its certificate, its key and
 * the authorities that it trusts, all readable by their owner alone. The services take over what changes there.
 */
export class CertificateStore {
  readonly #directory: string;
  readonly #roles = new Map<string, Role>();
  /** Those that are trusted; the last one issues. */
  #authorities: readonly CertificateAuthority[] = [new CertificateAuthority('Muster stack')];

  /** @param directory made when it is missing. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where a replica finds its files; they are made at the first question. */
  filesOf(name: string, role: Role): TlsFiles {
    if (!this.#roles.has(name)) {
      this.#roles.set(name, role);
      mkdirSync(join(this.#directory, name), { recursive: true, mode: 0o700 });
      this.rotate(name);
    }
    return tlsFilesIn(join(this.#directory, name));
  }

  /** Every replica that has a certificate, for example `counting-2`; the administrator too. */
  get names(): readonly string[] {
    return [...this.#roles.keys()];
  }

  /** Issues a new key and certificate to a replica in place of its old ones, and tells it whom to trust now. */
  rotate(name: string): void {
    const role = this.#roles.get(name);
    const issuer = this.#authorities.at(-1);
    if (role === undefined || issuer === undefined) throw new Error(`${name} has no certificate in this stack.`);
    writeTlsFiles(join(this.#directory, name), issueFor(issuer, role), this.#authorities);
  }

  /**
   * Makes another authority, which issues from now on. Everybody is told to trust it beside the old ones, so that
   * certificates of both are believed once that has been seen.
   */
  addAuthority(): void {
    this.#authorities = [
      ...this.#authorities,
      new CertificateAuthority(`Muster stack ${this.#authorities.length + 1}`),
    ];
    this.#tellAuthorities();
  }

  /** Tells everybody to trust the newest authority only. Who has a certificate of an older one is refused then. */
  retireOldAuthorities(): void {
    this.#authorities = this.#authorities.slice(-1);
    this.#tellAuthorities();
  }

  #tellAuthorities(): void {
    const bundle = this.#authorities.map(({ certificate }) => certificate).join('');
    for (const name of this.names) exchangeFile(tlsFilesIn(join(this.#directory, name)).caFile, bundle);
  }
}
