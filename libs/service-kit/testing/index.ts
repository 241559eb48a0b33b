export {
  CertificateAuthority,
  type CertificateRequest,
  type IssuedCertificate,
  roleUri,
} from './certificate-authority.ts';
export { exchangeFile, issueFor, tlsFilesIn, writeTlsFiles } from './certificates.ts';
