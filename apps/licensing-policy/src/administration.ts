import type { Policy, PolicyAdministration, PolicyChanged } from '@muster/contracts/policy';
import { toSnapshot } from './policy-state.ts';
import type { LicensingPolicyService } from './service.ts';

/** What an administrator sets, over gRPC: each change answers with the revision that holds it. */
export function createPolicyAdministration(policy: LicensingPolicyService): PolicyAdministration {
  const changed = (): PolicyChanged => ({ revision: policy.state.revision });
  return {
    async getPolicy(): Promise<Policy> {
      const { hostId, platform, publicKey } = policy.host;
      return { snapshot: toSnapshot(policy.state, hostId), hostPlatform: platform, hostPublicKey: publicKey };
    },
    async trustVendor({ publicKeyJwk }) {
      await policy.trustVendor(publicKeyJwk);
      return changed();
    },
    async installCatalogue({ signedCatalogue }) {
      await policy.installCatalogue(signedCatalogue);
      return changed();
    },
    async setHostPlatform({ hostPlatform }) {
      await policy.setPlatform(hostPlatform);
      return changed();
    },
    async installHostCertificate({ hostCertificate }) {
      await policy.installHostCertificate(hostCertificate);
      return changed();
    },
    async overrideIntervals({ application, activationIntervalMinutes, renewalIntervalMinutes }) {
      await policy.overrideIntervals(application, { activationIntervalMinutes, renewalIntervalMinutes });
      return changed();
    },
  };
}
