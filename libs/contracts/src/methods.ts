/**
 * Who takes part in a site, as the certificate of each says (`spiffe://<trust domain>/<role>`). `administrator` is a
 * person with the command line.
 */
export const roles = [
  'protocol-gateway',
  'licensing-policy',
  'counting',
  'discovery-publisher',
  'vendor-authority',
  'administrator',
] as const;
export type Role = (typeof roles)[number];

/** What holds for every call of a method. */
export interface MethodRule {
  /** Who may call it; everybody else is refused. */
  readonly roles: readonly Role[];
  /** Whether a call whose outcome is unknown may be made again without asking. */
  readonly idempotent: boolean;
  /** Milliseconds after which a call has failed; left out for streams, which last. */
  readonly deadlineMs?: number;
}

/** One rule for each method of proto/, by its full name. A service with a method that is missing here does not start. */
export const methodRules: Readonly<Record<string, MethodRule>> = {
  '/muster.counting.v1.Counting/Count': { roles: ['protocol-gateway'], idempotent: false },
  '/muster.counting.v1.Counting/GetCounts': {
    roles: ['protocol-gateway', 'administrator'],
    idempotent: true,
    deadlineMs: 5_000,
  },
  '/muster.counting.v1.Counting/ListMachines': { roles: ['administrator'], idempotent: false },
  '/muster.counting.v1.CountingAdministration/GetOutbox': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 5_000,
  },
  '/muster.counting.v1.CountingAdministration/ReplayEvents': { roles: ['administrator'], idempotent: false },
  '/muster.policy.v1.LicensingPolicy/WatchSnapshots': { roles: ['protocol-gateway'], idempotent: false },
  '/muster.policy.v1.LicensingPolicy/IssueGatewayCredential': {
    roles: ['protocol-gateway'],
    idempotent: true,
    deadlineMs: 5_000,
  },
  '/muster.policy.v1.PolicyAdministration/GetPolicy': { roles: ['administrator'], idempotent: true, deadlineMs: 5_000 },
  '/muster.policy.v1.PolicyAdministration/TrustVendor': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/InstallCatalogue': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/SetHostPlatform': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/InstallHostCertificate': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/OverrideIntervals': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/InstallKey': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  // It may be made again; but that an authority cannot be reached is to be told at once, not four times over.
  '/muster.policy.v1.PolicyAdministration/ActivateKey': {
    roles: ['administrator'],
    idempotent: false,
    deadlineMs: 60_000,
  },
  '/muster.policy.v1.PolicyAdministration/RequestActivation': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/ConfirmActivation': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.policy.v1.PolicyAdministration/ListKeys': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 5_000,
  },
  '/muster.policy.v1.PolicyAdministration/RemoveKey': {
    roles: ['administrator'],
    idempotent: false,
    deadlineMs: 10_000,
  },
  // Served on a Unix socket that only its owner may open: there are no certificates, and so no roles.
  '/muster.site.v1.Site/GetStatus': { roles: ['administrator'], idempotent: true, deadlineMs: 30_000 },
  '/muster.site.v1.Site/ListMachines': { roles: ['administrator'], idempotent: false },
  // The vendor's public port asks for no certificate and heeds no role; these are the roles on its inner port.
  '/muster.vendor.v1.VendorAuthority/ActivateHost': {
    roles: ['licensing-policy', 'administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAuthority/RenewHost': {
    roles: ['licensing-policy', 'administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAuthority/ConfirmInstallation': {
    roles: ['protocol-gateway', 'administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAuthority/ConfirmInstallations': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/CreateVendor': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/GetVendor': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/SignCatalogue': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/GetCatalogue': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/IssueKey': {
    roles: ['administrator'],
    idempotent: false,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/ChangeKey': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/RevokeKey': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/GetKey': { roles: ['administrator'], idempotent: true, deadlineMs: 10_000 },
  '/muster.vendor.v1.VendorAdministration/ListKeys': { roles: ['administrator'], idempotent: false },
  '/muster.vendor.v1.VendorAdministration/ListHosts': { roles: ['administrator'], idempotent: false },
  '/muster.vendor.v1.VendorAdministration/ListInstallations': { roles: ['administrator'], idempotent: false },
  '/muster.vendor.v1.VendorAdministration/ConfirmActivationRequest': {
    roles: ['administrator'],
    idempotent: true,
    deadlineMs: 10_000,
  },
  '/muster.vendor.v1.VendorAdministration/AuditTrail': { roles: ['administrator'], idempotent: false },
};
