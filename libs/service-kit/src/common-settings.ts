import { logLevelSetting } from './log-level.ts';
import { filePath, hostAndPort, onOrOff, type Settings, text, wholeNumber } from './settings.ts';

/** The settings that every service has. Its management port differs, so that all can run on one machine. */
export function commonSettings(managementListen: string) {
  return {
    MUSTER_MANAGEMENT_LISTEN: hostAndPort()
      .default(managementListen)
      .describe('Address of plain HTTP for probes: /livez, /readyz and /statusz'),
    MUSTER_TLS: onOrOff()
      .default('on')
      .describe(
        'Mutual TLS between the services. off lets everybody who reaches the gRPC port call everything: on loopback only',
      ),
    MUSTER_TLS_CA_FILE: filePath().optional().describe("Authorities of the site's certificates, PEM; needed with TLS"),
    MUSTER_TLS_CERTIFICATE_FILE: filePath()
      .optional()
      .describe("This service's certificate with its chain, PEM; needed with TLS. Exchanged files are taken over"),
    MUSTER_TLS_KEY_FILE: filePath().optional().describe('The private key of the certificate, PEM; needed with TLS'),
    MUSTER_TLS_TRUST_DOMAIN: text('domain')
      .default('muster')
      .describe('Certificates name the role of their owner as spiffe://DOMAIN/ROLE'),
    MUSTER_LOG_LEVEL: logLevelSetting,
    MUSTER_DRAIN_DELAY_SECONDS: wholeNumber(0, 300)
      .default(0)
      .describe(
        'Seconds from SIGTERM to the drain, in which the service is not ready and still serves; for balancers that notice late',
      ),
    MUSTER_DRAIN_SECONDS: wholeNumber(1, 300)
      .default(25)
      .describe('Seconds that the drain may take; then the process ends with what is open'),
  };
}

/** The common settings, parsed. */
export type CommonSettings = Settings<ReturnType<typeof commonSettings>>;
