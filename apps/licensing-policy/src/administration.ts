import type { Policy, PolicyAdministration, PolicyChanged } from '@muster/contracts/policy';
import { MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { toKmsKey } from './key-messages.ts';
import { toSnapshot } from './policy-state.ts';
import type { ProductKeys } from './product-keys.ts';
import type { LicensingPolicyService } from './service.ts';

/**
 * What an administrator sets, over gRPC: each change answers with the revision that holds it.
 *
 * One command may reach this replica and the next one another, so each call first takes over what others have changed.
 */
export function createPolicyAdministration(
  policy: LicensingPolicyService,
  keys: ProductKeys,
  clock: Clock,
): PolicyAdministration {
  const change = async (apply: () => Promise<unknown>): Promise<PolicyChanged> => {
    await policy.refresh();
    await apply();
    return { revision: policy.state.revision };
  };
  return {
    async getPolicy(): Promise<Policy> {
      await policy.refresh();
      const { hostId, platform, publicKey } = policy.host;
      return { snapshot: toSnapshot(policy.state, hostId), hostPlatform: platform, hostPublicKey: publicKey };
    },
    trustVendor: ({ publicKeyJwk }) => change(() => policy.trustVendor(publicKeyJwk)),
    installCatalogue: ({ signedCatalogue }) => change(() => policy.installCatalogue(signedCatalogue)),
    setHostPlatform: ({ hostPlatform }) => change(() => policy.setPlatform(hostPlatform)),
    installHostCertificate: ({ hostCertificate }) => change(() => policy.installHostCertificate(hostCertificate)),
    overrideIntervals: ({ application, activationIntervalMinutes, renewalIntervalMinutes }) =>
      change(() => policy.overrideIntervals(application, { activationIntervalMinutes, renewalIntervalMinutes })),

    async installKey({ productKey }) {
      return toKmsKey(await keys.install(productKey), clock.nowMs());
    },
    async activateKey({ key: name, again }) {
      await policy.refresh();
      const { key, use } = await keys.activate(name, again);
      return {
        key: toKmsKey(key, clock.nowMs()),
        activationsUsed: use?.used ?? 0,
        activationLimit: use?.limit ?? 0,
      };
    },
    async requestActivation({ key: name, renew }) {
      await policy.refresh();
      const { key, text } = await keys.requestActivation(name, renew);
      return { request: text, key: toKmsKey(key, clock.nowMs()) };
    },
    async confirmActivation({ confirmation, key }) {
      await policy.refresh();
      return toKmsKey(await keys.confirmActivation(confirmation, key), clock.nowMs());
    },
    async listKeys() {
      const nowMs = clock.nowMs();
      return { keys: (await keys.list()).map((key) => toKmsKey(key, nowMs)) };
    },
    removeKey: ({ key }) => change(() => keys.remove(requireName(key))),
  };
}

/** What cannot be undone is not done to whatever key happens to be the only one. */
function requireName(name: string): string {
  if (name.trim() !== '') return name;
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: 'The key to be removed is not named.',
    remedy: 'Name it by its last five characters, or by its id.',
  });
}
