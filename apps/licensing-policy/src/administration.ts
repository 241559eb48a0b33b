import type { Policy, PolicyAdministration, PolicyChanged } from '@muster/contracts/policy';
import { toSnapshot } from './policy-state.ts';
import type { LicensingPolicyService } from './service.ts';

/**
 * What an administrator sets, over gRPC: each change answers with the revision that holds it.
 *
 * One command may reach this replica and the next one another, so each call first takes over what others have changed.
 */
export function createPolicyAdministration(policy: LicensingPolicyService): PolicyAdministration {
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
  };
}
