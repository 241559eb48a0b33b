export {
  type AuditEntry,
  type AuditFinding,
  type AuditHead,
  type AuditRecord,
  type AuditState,
  auditBeginning,
  auditHash,
  canonicalAuditRecord,
  readAuditRecord,
  verifyAuditChain,
} from './audit-chain.ts';
export {
  type BatchProof,
  maximumBatchMessages,
  maximumPathEntries,
  signatureBytes,
  signBatch,
  verifyBatchProof,
} from './batch-signature.ts';
export {
  type GatewayCredential,
  type GatewayCredentialOptions,
  issueGatewayCredential,
  maximumCredentialLifeMs,
  verifyGatewayCredential,
} from './gateway-credential.ts';
export {
  type ActivatedHost,
  decodeActivationConfirmation,
  decodeActivationRequest,
  encodeActivationConfirmation,
  encodeActivationRequest,
  type HostActivationRequest,
} from './host-activation.ts';
export {
  type HostCertificate,
  type HostCertificateOptions,
  issueHostCertificate,
  verifyHostCertificate,
} from './host-certificate.ts';
export { type HostRenewal, signHostRenewal, verifyHostRenewal } from './host-renewal.ts';
export {
  checkInstallation,
  installationId,
  installationIdBytes,
  issueMakConfirmation,
  type MakConfirmation,
  type MakConfirmationOptions,
  verifyMakConfirmation,
} from './mak-confirmation.ts';
export {
  makeProductKey,
  type ProductKey,
  type ProductKeyKind,
  parseProductKey,
  productKeyRandomBytes,
} from './product-key.ts';
export { keyId, publicKeyFromJwk, publicKeyToJwk } from './public-key.ts';
export { openPrivateKey, openSecret, sealPrivateKey, sealSecret } from './sealed-key.ts';
export { signCatalogue, type VerifiedCatalogue, verifyCatalogue } from './signed-catalogue.ts';
export { type SigningKey, signingKeyFromSeed } from './signing-key.ts';
export { isWithin, type ValidityWindow } from './validity-window.ts';
export { type VendorKeys, vendorKeys } from './vendor-keys.ts';
