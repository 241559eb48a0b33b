import {
  type Counting,
  type CountingAdministration,
  CountingAdministrationService,
  CountingService,
} from '@muster/contracts/counting';
import { type PolicyAdministration, PolicyAdministrationService } from '@muster/contracts/policy';
import { connectTo, createLogger, TlsIdentity } from '@muster/service-kit';
import type { CertificateStore } from './certificates.ts';
import { textOf } from './service-process.ts';
import type { Address, Administrator } from './stack.ts';

/** The administrator of a stack: connects to each replica when it is first asked something. */
export class StackAdministrator implements Administrator {
  readonly #tls: TlsIdentity;
  readonly #policies: readonly Address[];
  readonly #countings: readonly Address[];
  readonly #policyClients = new Map<number, PolicyAdministration>();
  readonly #countingClients = new Map<number, Counting & CountingAdministration>();
  readonly #closers: (() => void)[] = [];

  constructor(certificates: CertificateStore, policies: readonly Address[], countings: readonly Address[]) {
    const files = certificates.filesOf('administrator', 'administrator');
    this.#tls = new TlsIdentity(files, 'administrator', createLogger('stack', 'error'));
    this.#policies = policies;
    this.#countings = countings;
  }

  policy(index = 0): PolicyAdministration {
    const present = this.#policyClients.get(index);
    if (present !== undefined) return present;
    const address = addressOf(this.#policies, index, 'policy');
    const credentials = this.#tls.channelCredentials('licensing-policy');
    const client = connectTo<PolicyAdministration>(PolicyAdministrationService, address, credentials);
    this.#closers.push(client.close);
    this.#policyClients.set(index, client.service);
    return client.service;
  }

  counting(index = 0): Counting & CountingAdministration {
    const present = this.#countingClients.get(index);
    if (present !== undefined) return present;
    const address = addressOf(this.#countings, index, 'counting');
    const credentials = this.#tls.channelCredentials('counting');
    const counting = connectTo<Counting>(CountingService, address, credentials);
    const administration = connectTo<CountingAdministration>(CountingAdministrationService, address, credentials);
    this.#closers.push(counting.close, administration.close);
    const both = { ...counting.service, ...administration.service };
    this.#countingClients.set(index, both);
    return both;
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
    this.#tls.close();
  }
}

function addressOf(addresses: readonly Address[], index: number, service: string): string {
  const address = addresses[index];
  if (address === undefined) throw new Error(`The stack has ${addresses.length} replicas of ${service}.`);
  return textOf(address);
}
