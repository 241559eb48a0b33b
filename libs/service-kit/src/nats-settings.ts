import { z } from 'zod';
import { filePath, list, type Settings } from './settings.ts';

const serverPattern = /^(nats|tls):\/\/[^\s,/@]+$/;

/** The settings of every service that speaks over NATS. */
export function natsSettings() {
  return {
    MUSTER_NATS_SERVERS: list('nats://HOST:PORT[,...]')
      .pipe(z.array(z.string().regex(serverPattern, 'each server is nats://HOST:PORT or tls://HOST:PORT')))
      .meta({ typeName: 'nats://HOST:PORT[,...]' })
      .optional()
      .describe('Servers of NATS; one of a cluster is enough. Without them there is no bus'),
    MUSTER_NATS_CREDENTIALS_FILE: filePath().optional().describe('Credentials for NATS, a .creds file'),
    MUSTER_NATS_TLS_CA_FILE: filePath().optional().describe("Authorities of the NATS servers' certificates, PEM"),
    MUSTER_NATS_TLS_CERTIFICATE_FILE: filePath()
      .optional()
      .describe('Certificate that this service shows to NATS, PEM'),
    MUSTER_NATS_TLS_KEY_FILE: filePath().optional().describe('The private key of that certificate, PEM'),
  };
}

/** How to reach NATS, as libs/events takes it; undefined when no server is named. */
export function natsConnectionOf(settings: Settings<ReturnType<typeof natsSettings>>) {
  const servers = settings.MUSTER_NATS_SERVERS ?? [];
  if (servers.length === 0) return undefined;
  const files = {
    authorityFile: settings.MUSTER_NATS_TLS_CA_FILE,
    certificateFile: settings.MUSTER_NATS_TLS_CERTIFICATE_FILE,
    keyFile: settings.MUSTER_NATS_TLS_KEY_FILE,
  };
  const usesTls = Object.values(files).some((file) => file !== undefined);
  return {
    servers,
    credentialsFile: settings.MUSTER_NATS_CREDENTIALS_FILE,
    ...(usesTls ? { tls: files } : {}),
  };
}
